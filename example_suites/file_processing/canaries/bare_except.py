"""An exit that cannot be taken."""


def careless(work):
    """Do the work, and go on whatever happens: Ctrl-C, too."""
    try:
        work()
    except:
        return False
    return True
