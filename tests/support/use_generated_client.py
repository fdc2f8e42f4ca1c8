"""Uses the client that openapi-python-client made of the plane's document, in that generator's environment.

Run by a test with ``PYTHONPATH`` at the generated package; one JSON object on stdin, one on stdout.
"""

import json
import sys

from setpoint_client import AuthenticatedClient
from setpoint_client.api.access import list_accounts
from setpoint_client.api.configuration import edit_config, list_scopes, read_config
from setpoint_client.api.hot import evaluate_flags
from setpoint_client.api.restore import restore_revision
from setpoint_client.models import Edits, EvaluationRequest, Problem, Wanted

asked = json.load(sys.stdin)
client = AuthenticatedClient(asked["url"], asked["token"])
stranger = AuthenticatedClient(asked["url"], "spt_none")

read = read_config.sync_detailed("global", client=client)
etag = read.headers["ETag"]
edits = Edits.from_dict({"set": {asked["key"]: asked["value"]}, "reason": "a generated client"})
edited = edit_config.sync_detailed("global", client=client, body=edits, if_match=etag)
stale = edit_config.sync_detailed("global", client=client, body=edits, if_match=etag)
wanted = Wanted.from_dict({"revision": read.parsed.revision, "reason": "back"})
restored = restore_revision.sync_detailed("global", client=client, body=wanted)
flags = evaluate_flags.sync(client=client, body=EvaluationRequest.from_dict({"context": {}}))
refused = [
    read_config.sync_detailed("global", client=stranger),
    read_config.sync_detailed("symbol=NONE", client=client),
    list_accounts.sync_detailed(client=client),
    list_scopes.sync_detailed(client=client, limit=0),
    stale,
]
if not all(isinstance(one.parsed, Problem) for one in refused):
    raise TypeError("an error was not read as a Problem")

found = {
    "before": read.parsed.values.additional_properties[asked["key"]],
    "edited": edited.parsed.state,
    "restored": restored.parsed.state,
    "after": read_config.sync("global", client=client).values.additional_properties[asked["key"]],
    "flags": len(flags.flags),
    "errors": [[int(one.status_code), one.parsed.code] for one in refused],
    "etag": stale.headers["ETag"],
}
json.dump(found, sys.stdout)
