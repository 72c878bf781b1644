"""The process in the pane."""
