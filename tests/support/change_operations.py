"""Every public operation of change, with the rule of the state machine that plays it."""

import ast
from pathlib import Path

import setpoint.change
import setpoint.store
from setpoint.store.queries import parse

#: The rule that plays each public operation of change, and each statement that writes.
OPERATIONS = {
    "break_glass.restore": "break_glass",
    "break_glass.set_values": "break_glass",
    "channels.close_channel": "turn_the_channel",
    "channels.declare_channel": "turn_the_channel",
    "decisions.decide": "approve",
    "decisions.go_on": "plan_and_apply",
    "decisions.apply_read": "apply_change",
    "decisions.amend_over": "rebase_change",
    "decisions.repeat_check": "ask_to_train_again",
    "decisions.undo": "undo_the_last_amendment",
    "export.export": "plan_and_apply",
    "freezes.break_freeze": "apply_in_a_freeze",
    "freezes.declare_freeze": "declare_freeze",
    "freezes.end_freeze": "end_freeze",
    "history_import.import_history": "import_elsewhere",
    "overlays.creation": "create_scope",
    "overlays.retirement": "retire_scope",
    "plan.apply_plan": "plan_and_apply",
    "plan.plan": "plan_and_apply",
    "policy_proposals.policy_proposal": "set_policy",
    "policy_plan.apply_policies": "plan_and_apply",
    "proposals.amend": "amend_change",
    "applying.apply": "apply_change",
    "proposals.ask_approvers": "ask_for_approval",
    "applying.apply_due": "apply_due_changes",
    "applying.try_to_apply": "apply_due_changes",
    "proposals.open_change": "open_change",
    "proposals.open_and_apply": "set_values",
    "proposals.propose": "propose_change",
    "applying.remark": "comment",
    "proposals.withdraw": "withdraw",
    "restore.restore": "restore",
    "seeding.apply_seed": "seed",
    "changes.sql: amend_change": "amend_change",
    "changes.sql: apply_change": "apply_change",
    "changes.sql: ask_approvers": "ask_for_approval",
    "changes.sql: decide_change": "reject",
    "changes.sql: open_change": "open_change",
    "changes.sql: open_and_apply_change": "set_values",
    "changes.sql: propose_change": "propose_change",
    "changes.sql: suspend_change": "apply_due_changes",
    "changes.sql: withdraw_change": "withdraw",
    "freezes.sql: break_freeze": "apply_in_a_freeze",
    "freezes.sql: declare_freeze": "declare_freeze",
    "freezes.sql: end_freeze": "end_freeze",
    "break_glass.sql: break_glass_restore": "break_glass",
    "break_glass.sql: break_glass_set": "break_glass",
    "break_glass.sql: declare_channel": "turn_the_channel",
}
#: Modules that write no document, change or policy: they read, judge, or write files. What brings a whole
#: database back stands beside the model: tests/store/test_backups.py.
APART = {
    "anchoring", "candidates", "changes", "checks", "conflicts", "contexts", "declarations",
    "document_texts", "documents", "drill", "drill_builds", "dues", "drill_image_pin",
    "drill_merge_revert", "offers", "rollbacks", "drill_scenarios",
    "drill_stage", "drill_typo", "editable_text", "evidence", "explanation", "files", "first_use", "folder",
    "folder_writing", "git_commits", "history", "history_files", "identity", "impact",
    "incident_markdown", "invariants", "judgement", "mechanisms", "obligations",
    "patch", "policies", "proving", "requirements", "restore_probe",
    "reminder", "restoring", "schedule", "throw_away", "verification", "waiting",
}  # fmt: skip
#: The same for single functions of the others, and for statements.
READS = {
    "break_glass.emergency_session", "break_glass.preview_restore", "break_glass.preview_set",
    "break_glass.problems_of", "break_glass.validate", "channels.list_channels",
    "governance.governance_text", "governance.left_to_owner", "governance.read_governance",
    "governance.standing_governance", "policy_plan.plan_policies",
    "decisions.amended", "decisions.require_read", "decisions.without",
    "export.check_untouched", "plan.read_plan", "plan.save_plan",
    "history_import.holds_nothing",
    "freezes.holding", "freezes.list_freezes", "freezes.read_freeze",
    "restore.list_undoing", "restore.rehearse",
    "seeding.plan_seed", "applying.judge_written",
    "break_glass.sql: file_post_mortem", "break_glass.sql: note_probe", "break_glass.sql: record_drill",
    "break_glass.sql: record_validation", "changes.sql: search_decisions",
}  # fmt: skip


def public_operations():
    """Yield every public function of change outside APART, and every statement of its that may write."""
    for module in Path(setpoint.change.__file__).parent.rglob("*.py"):
        if module.stem not in APART:
            for node in ast.parse(module.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield f"{module.stem}.{node.name}"
    for name in ("changes.sql", "freezes.sql", "break_glass.sql"):
        text = (Path(setpoint.store.__file__).parent / "queries" / name).read_text(encoding="utf-8")
        for query, *_ in parse(text):
            if not query.startswith(("read_", "list_", "count_", "preview_")):
                yield f"{name}: {query}"
