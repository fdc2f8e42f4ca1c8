"""ENGINES: what trains many units at once; each is one function of one signature, and nothing else.

    train_in_NAME(plan, folder, catalogues, units) -> generator of lists of entries

``folder`` holds the plan and its snapshots, ``catalogues`` is the setting of that name. An engine yields the
entries of units as they end, in any order, as ``train.worker.train_unit`` returns them: whoever iterates
records these. An engine whose workers record what they train yields entries without a result once they are
recorded. Closing the generator ends all work under way; what was not recorded is trained again.
"""
