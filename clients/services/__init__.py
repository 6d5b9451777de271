"""The verbs of clients: the only writers of its rows. No network.

`drafts` fills in an application, `applications` submits it and follows it, `documents` answers tasks, `maintenance`
changes what exists, `people` reveals and opens the portal, `retention` holds and destroys.
"""
