from __future__ import annotations

import contextlib
import io
import os
import re
import select
import shutil
import subprocess
import termios
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_ptc.reporting.terminal.live_area import LiveArea, live_supported, stream_size

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE = 20.0


class Screen:
    """A real terminal: the one window of a tmux server of our own, written to through its tty."""

    def __init__(self, columns: int, rows: int) -> None:
        self.size = self.first_size = os.terminal_size((columns, rows))
        self.name = f"ptc-live-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        # The pane's program only holds the tty, and ends the server should we never come to that.
        self.tmux("new-session", "-d", "-x", f"{columns}", "-y", f"{rows}", "sleep", "120")
        self.socket = Path(self.ask("socket_path"))
        tty = os.open(self.ask("pane_tty"), os.O_RDWR | os.O_NOCTTY)
        modes = termios.tcgetattr(tty)
        # The terminal's answers are for us to read, not for the tty to echo.
        modes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(tty, termios.TCSANOW, modes)
        self.stream = open(tty, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - closed in `close`

    def tmux(self, *command: str) -> str:
        """Run a command of this server and return what it printed."""
        environ = {name: value for name, value in os.environ.items() if name != "TMUX"}
        argv = ["tmux", "-u", "-L", self.name, "-f", "/dev/null", *command]
        done = subprocess.run(argv, check=True, capture_output=True, env=environ, timeout=DEADLINE)
        return done.stdout.decode()

    def ask(self, variable: str) -> str:
        """Return a variable of tmux's formats."""
        return self.tmux("display-message", "-p", f"#{{{variable}}}").rstrip("\n")

    def type(self, text: str) -> None:
        """Write as pytest does."""
        self.stream.write(text)
        self.stream.flush()

    def cursor(self) -> tuple[int, int]:
        """Return row and column from 0, when the terminal has taken in all that was written."""
        self.type("\x1b[6n")
        answer = b""
        while not (found := re.search(rb"\x1b\[(\d+);(\d+)R", answer)):
            ready, _, _ = select.select([self.stream], [], [], DEADLINE)
            assert ready, f"no answer from tmux but {answer!r}"
            answer += os.read(self.stream.fileno(), 100)
        return int(found[1]) - 1, int(found[2]) - 1

    def resize(self, columns: int, rows: int) -> None:
        """Change the size at once; the tty hears of it a quarter of a second later."""
        self.tmux("resize-window", "-x", f"{columns}", "-y", f"{rows}")
        self.size = os.terminal_size((columns, rows))

    def rows(self) -> tuple[list[str], int]:
        """Return the rows, without what is empty at the end, and how many have scrolled off."""
        self.cursor()
        shown = self.tmux(
            *("display-message", "-p", "#{history_size}", ";", "capture-pane", "-p", "-S", "-")
        )
        scrolled, _, rows = shown.partition("\n")
        return rows.rstrip("\n").split("\n"), int(scrolled)

    def reset(self) -> None:
        """Begin with an empty screen of the first size."""
        if self.size != self.first_size:
            self.resize(*self.first_size)
        self.type("\x1bc")
        self.cursor()
        self.tmux("clear-history")

    def close(self) -> None:
        """End the server and remove its socket."""
        self.stream.close()
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")
        self.socket.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(columns: int, rows: int) -> Iterator[Screen]:
    """Give a terminal of this size and close it, whatever happened."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    screen = Screen(columns, rows)
    try:
        yield screen
    finally:
        screen.close()


@pytest.fixture(scope="module", params=[(80, 24), (160, 50)], ids=["80x24", "160x50"])
def terminal(request: pytest.FixtureRequest) -> Iterator[Screen]:
    """Give a terminal in each of two usual sizes to all tests."""
    with opened(*request.param) as terminal:
        yield terminal


@pytest.fixture
def screen(terminal: Screen) -> Screen:
    """Give one test a terminal as new."""
    terminal.reset()
    return terminal


def area_on(screen: Screen, **more: Any) -> LiveArea:
    """Return an area on a real terminal."""
    return LiveArea(screen.stream, size=lambda: screen.size, **more)


def block(rows: int, width: int = 60) -> list[str]:
    """Return lines to draw, each of its own letter."""
    return [f"w{row} ".ljust(width, chr(ord("a") + row)) for row in range(rows)]


def fill(screen: Screen, place: str) -> list[str]:
    """Write pytest's lines down to a place of the screen and return them."""
    last = {
        "top": 0,
        "below-header": 10,
        "middle": screen.size.lines // 2,
        "almost-bottom": screen.size.lines - 3,
        "bottom": screen.size.lines + 7,
    }[place]
    lines = [f"test_{row}.py ......" for row in range(last)] + ["tests/test_now.py "]
    screen.type("\n".join(lines))
    return lines


def assert_shows(screen: Screen, lines: list[str], area: list[str]) -> int:
    """Prove what stands where, with the cursor behind `lines`; return how much has scrolled off."""
    rows, scrolled = screen.rows()
    expected = "\n".join(line.rstrip() for line in lines + area).rstrip("\n").split("\n")
    assert rows == expected
    row, column = screen.cursor()
    assert (scrolled + row, column) == (len(lines) - 1, len(lines[-1]))
    assert len(lines) + len(area) - scrolled <= screen.size.lines
    return scrolled


@pytest.mark.parametrize("place", ["top", "middle", "almost-bottom", "bottom"])
def test_dots_go_on_where_they_were(screen: Screen, place: str) -> None:
    """Drawn over and over, fewer lines and more, the area never moves pytest's line or its dots."""
    area = area_on(screen)
    lines = fill(screen, place)
    for rows in (3, 8, 8, 1, 5):
        area.draw(block(rows))
        screen.type(".")
        lines[-1] += "."
        scrolled = assert_shows(screen, lines, block(rows))
    # The screen scrolled for the tallest area, once.
    assert scrolled == max(len(lines) + 8 - screen.size.lines, 0)
    area.erase()
    screen.type(" [100%]\n")
    assert_shows(screen, [*lines[:-1], f"{lines[-1]} [100%]", ""], [])


@pytest.mark.parametrize("place", ["top", "middle", "almost-bottom", "bottom"])
def test_nothing_is_left_after_erase(screen: Screen, place: str) -> None:
    """After erase the screen holds pytest's lines alone, and a second erase writes nothing."""
    area = area_on(screen)
    lines = fill(screen, place)
    area.draw(block(7))
    area.draw([])
    assert_shows(screen, lines, [])
    area.draw(block(7))
    area.erase()
    area.erase()
    assert_shows(screen, lines, [])


# Not at the very top: a tmux that wraps lines anew at a smaller width scrolls by as many rows as
# they grow, empty rows below or not, and a cursor that would scroll away is left where it was.
@pytest.mark.parametrize("place", ["below-header", "middle", "bottom"])
@pytest.mark.parametrize(
    "sizes",
    [[(160, 50), (80, 24)], [(60, 12), (100, 40)], [(200, 10), (100, 50)]],
    ids=["both-ways", "smaller", "each-way"],
)
def test_a_resize_between_draws_leaves_no_trace(
    screen: Screen, place: str, sizes: list[tuple[int, int]]
) -> None:
    """Old lines, wrapped or cut by the terminal at its new size, go with the next draw or erase."""
    area = area_on(screen)
    lines = fill(screen, place)
    area.draw(block(5, screen.size.columns - 1))
    for columns, rows in sizes:
        screen.resize(columns, rows)
        area.draw(block(3, columns - 1))
        screen.type(".")
        lines[-1] += "."
        assert_shows(screen, lines, block(3, columns - 1))
    screen.resize(70, 20)
    area.erase()
    assert_shows(screen, lines, [])


@pytest.mark.parametrize("place", ["top", "bottom"])
def test_a_size_that_is_not_true_any_more_moves_nothing(screen: Screen, place: str) -> None:
    """Lines drawn for a wider terminal than it has become are cut at its edge, not wrapped."""
    area = LiveArea(screen.stream, size=lambda: os.terminal_size((160, 50)))
    screen.resize(50, 20)
    lines = fill(screen, place)
    for _ in range(2):
        area.draw(block(5, 150))
        screen.type(".")
        lines[-1] += "."
        assert_shows(screen, lines, [line[:49] for line in block(5, 150)])
    area.erase()
    assert_shows(screen, lines, [])


def test_the_size_is_the_terminals_own() -> None:
    """Unless told otherwise an area asks its terminal for the size."""
    with opened(90, 30) as screen:
        lines = fill(screen, "bottom")
        LiveArea(screen.stream).draw(["x" * 500])
        assert stream_size(screen.stream) == (90, 30)
        assert_shows(screen, lines, ["x" * 86 + "..."])


@pytest.mark.parametrize("place", ["top", "bottom"])
def test_the_right_edge_keeps_every_dot(screen: Screen, place: str) -> None:
    """A line of dots that fills the screen's width exactly goes on in the next line, none lost."""
    width = screen.size.columns
    *lines, now = fill(screen, place)
    area = area_on(screen, column=lambda: len(now))
    screen.type("x" * (width - len(now)))
    now = now.ljust(width, "x")
    area.draw(block(4))
    area.draw(block(4))
    screen.type("yyy")
    now += "yyy"
    assert_shows(screen, [*lines, now[:width], now[width:]], block(4))
    area.erase()
    assert_shows(screen, [*lines, now[:width], now[width:]], [])


def test_a_line_break_without_erase_is_put_right(screen: Screen) -> None:
    """Where pytest's column is known, what its next line ran into goes with the next draw."""
    *lines, now = fill(screen, "middle")
    area = area_on(screen, column=lambda: len(now))
    area.draw(block(4))
    screen.type("\n")
    lines.append(now)
    now = ""
    area.draw(block(2))
    assert_shows(screen, [*lines, ""], block(2))
    area.erase()
    assert_shows(screen, [*lines, ""], [])


def test_a_line_too_long_or_hostile_stays_one_line(screen: Screen) -> None:
    """Text that is wider than the terminal, breaks lines or moves the cursor stays on its row."""
    columns = screen.size.columns
    lines = fill(screen, "bottom")
    area_on(screen).draw(["x" * 500, "a\nb\x1b[H\x1b[2Jc", "last"])
    shown = ["x" * (columns - 4) + "...", r"a b\x1b[H\x1b[2Jc", "last"]
    assert_shows(screen, lines, shown)


def test_more_lines_than_rows_never_scroll_the_cursors_line_away(screen: Screen) -> None:
    """Of an area taller than the terminal as many lines are shown as leave the cursor's in view."""
    rows = screen.size.lines
    lines = fill(screen, "bottom")
    area = area_on(screen)
    area.draw([f"line {row}" for row in range(200)])
    assert_shows(screen, lines, [f"line {row}" for row in range(rows - 1)])
    area.erase()
    assert_shows(screen, lines, [])


@pytest.fixture(scope="module")
def narrow() -> Iterator[Screen]:
    """Give one small terminal to all examples of a property."""
    with opened(20, 7) as screen:
        yield screen


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("dots"), st.integers(1, 45)),
        st.tuples(st.just("line"), st.just(0)),
        st.tuples(st.just("draw"), st.integers(1, 9)),
        st.tuples(st.just("erase"), st.just(0)),
    ),
    max_size=25,
)


@given(moves=MOVES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_leaves_what_it_would_have_left_without_the_area(
    narrow: Screen, moves: list[tuple[str, int]]
) -> None:
    """Whatever is written, drawn and erased in whatever order, pytest's own text is all that stays.

    Text may run on over the edge while the area is drawn; before a line break it is erased.
    """
    narrow.reset()
    text = ""
    area = area_on(narrow, column=lambda: len(text.rpartition("\n")[2]))
    for move, number in moves:
        if move == "dots":
            more = "".join(chr(ord("a") + (len(text) + i) % 26) for i in range(number))
        elif move == "line":
            area.erase()
            # A break right at the edge leaves an empty line; that is the price of keeping dots.
            at_edge = len(text.rpartition("\n")[2]) % 20 == 0
            more = ".\n" if at_edge else "\n"
        else:
            more = ""
            area.draw([f"area {row}" for row in range(number)])
        narrow.type(more)
        text += more
    area.erase()
    expected = [
        line[start : start + 20]
        for line in text.split("\n")
        for start in range(0, max(len(line), 1), 20)
    ]
    assert narrow.rows()[0] == "\n".join(expected).rstrip("\n").split("\n")


def test_the_terminals_server_and_socket_go() -> None:
    """The tests' own tmux server ends with its test and leaves no socket."""
    with opened(80, 24) as screen:
        assert screen.socket.exists()
        server = int(screen.ask("pid"))
    assert not screen.socket.exists()
    deadline = time.monotonic() + DEADLINE
    while runs(server) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not runs(server)


def runs(process: int) -> bool:
    """Tell whether a process runs; a dead one that nobody asked after does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Recorder(io.StringIO):
    """A stream that remembers each write."""

    def __init__(self, *, tty: bool = True) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.tty = tty

    def write(self, text: str) -> int:
        """Write and remember."""
        self.writes.append(text)
        return super().write(text)

    def isatty(self) -> bool:
        """Tell what the test wants."""
        return self.tty


def eighty_by_24() -> os.terminal_size:
    """Return the classic size."""
    return os.terminal_size((80, 24))


def test_a_draw_is_one_write() -> None:
    """A frame goes out in one piece, so that nothing else's output can come between."""
    stream = Recorder()
    area = LiveArea(stream, size=eighty_by_24)
    area.draw(["one", "two"])
    assert stream.writes == [
        "\x1bD\x1bD\x1b[2A\x1b7\x1b[?7l\x1b[B\rone\x1b[K\x1b[B\rtwo\x1b[J\x1b[?7h\x1b8"
    ]
    area.erase()
    area.erase()
    assert stream.writes[1:] == ["\x1bD\x1b[1A\x1b7\x1b[?7l\x1b[B\r\x1b[J\x1b[?7h\x1b8"]


def test_nothing_is_written_before_the_first_draw() -> None:
    """Erasing an area that was never drawn writes nothing, nor does drawing no lines."""
    stream = Recorder()
    area = LiveArea(stream, size=eighty_by_24)
    area.erase()
    area.draw([])
    assert stream.writes == []


@pytest.mark.parametrize("size", [(80, 1), (80, 0), (0, 24), (0, 0)])
def test_a_terminal_without_room_is_left_alone(size: tuple[int, int]) -> None:
    """Where there is no row below the cursor's line, or no column, nothing is drawn."""
    stream = Recorder()
    area = LiveArea(stream, size=lambda: os.terminal_size(size), column=lambda: 5)
    area.draw(["one"])
    area.erase()
    assert stream.writes == []


def test_a_character_the_stream_cannot_encode_is_escaped() -> None:
    """A terminal without UTF-8 gets an escaped name, still within its width."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    LiveArea(stream, size=lambda: os.terminal_size((20, 24))).draw(["w1 test_größe_of_it_all"])
    assert b"\rw1 test_gr\\xf6\\x..." in stream.buffer.getvalue()


class Broken(Recorder):
    """A terminal that raises what it is told to."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail, if that is what the test wants."""
        if self.error:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BlockingIOError(11, "try again"), id="full"),
        pytest.param(BrokenPipeError(32, "broken pipe"), id="hung-up"),
        pytest.param(OSError(5, "input/output error"), id="gone"),
        pytest.param(ValueError("I/O operation on closed file"), id="closed"),
    ],
)
def test_a_failing_write_never_raises(error: Exception) -> None:
    """A stream that cannot be written to costs the area, never the run, and is tried again."""
    stream = Broken(None)
    area = LiveArea(stream, size=eighty_by_24)
    area.draw(["one"])
    stream.error = error
    area.draw(["two"])
    area.erase()
    stream.error = None
    area.erase()
    assert len(stream.writes) == 2
    assert repr(area) == "<LiveArea clear>"


def test_a_real_pipe_that_is_full_never_raises() -> None:
    """A descriptor that does not block and takes no more is no error, and works again when read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    with open(writer, "w", encoding="utf-8") as stream, open(reader, "rb") as read:  # noqa: PTH123
        area = LiveArea(stream, size=eighty_by_24)
        for _ in range(100):
            area.draw(["x" * 70] * 20)
        while read.read(1 << 16):
            pass
        area.draw(["here again"])
        while data := read.read(1 << 16):
            found = b"here again" in data
        assert found


def test_a_size_that_cannot_be_known_never_raises() -> None:
    """A terminal that hung up has no size; the area stays away."""

    def gone() -> os.terminal_size:
        raise OSError(5, "input/output error")

    stream = Recorder()
    LiveArea(stream, size=gone).draw(["one"])
    assert stream.writes == []


@pytest.mark.parametrize(
    ("environ", "tty", "expected"),
    [
        pytest.param({"TERM": "xterm-256color"}, True, True, id="xterm"),
        pytest.param({"TERM": "tmux-256color"}, True, True, id="tmux"),
        pytest.param({"TERM": "linux"}, True, True, id="console"),
        pytest.param({"TERM": "xterm-256color"}, False, False, id="not-a-tty"),
        pytest.param({"TERM": "dumb"}, True, False, id="dumb"),
        pytest.param({"TERM": "unknown"}, True, False, id="unknown"),
        pytest.param({}, True, False, id="no-TERM"),
        pytest.param({"TERM": "xterm", "CI": "true"}, True, False, id="CI"),
        pytest.param({"TERM": "xterm", "BUILD_NUMBER": "7"}, True, False, id="build"),
        pytest.param({"TERM": "xterm", "CI": ""}, True, True, id="CI-empty"),
    ],
)
def test_where_drawing_is_supported(environ: dict[str, str], tty: bool, expected: bool) -> None:
    """Lines are drawn on a terminal that can erase them, outside CI, and nowhere else."""
    assert live_supported(Recorder(tty=tty), environ) is expected


def test_a_closed_stream_is_not_supported() -> None:
    """Asking a closed stream whether it is a terminal is a plain no."""
    stream = io.StringIO()
    stream.close()
    assert live_supported(stream, {"TERM": "xterm"}) is False


def test_a_terminal_without_a_size_gets_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that says it is 0 by 0 is taken for what COLUMNS and LINES say."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((0, 0)))

    class Stream(io.StringIO):
        def fileno(self) -> int:
            """Return any descriptor."""
            return 1

    stream: TextIO = Stream()
    assert stream_size(stream) == (100, 30)
