"""ENGINES: what trains many units at once; each is one function of one signature, and nothing else.

    train_in_NAME(plan, folder, catalogues, units) -> generator of outcomes

``folder`` holds the plan and its snapshots, ``catalogues`` is the setting of that name. An engine yields the
outcome of each unit as it ends, in any order, as ``train.worker.train_unit`` returns it; closing the
generator ends all work under way at once. It records nothing: whoever iterates does.
"""
