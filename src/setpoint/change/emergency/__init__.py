"""CHANGE: break-glass, its drills, and the papers that both leave behind."""
