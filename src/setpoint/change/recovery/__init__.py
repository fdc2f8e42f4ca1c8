"""CHANGE: recovery: backups that are made, proven and brought back so that nobody is revived by one."""
