"""From options, marks and Markdown to complete task specifications."""
