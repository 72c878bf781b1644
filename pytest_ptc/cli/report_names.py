"""Which reports `ptc report` makes: a module of its own, for every command's help names them."""

#: The reports that are files, and what is in them.
REPORTS = {
    "json": "the whole run, as JSON",
    "sarif": "the findings, as SARIF for code scanning",
    "gitlab": "the findings, as GitLab's Code Quality report",
    "html": "the whole run, as a page for a person",
    "summary": "the run in Markdown, as GitHub shows it below a job",
}
