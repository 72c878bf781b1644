"""Claude Code's task file, `<config dir>/tasks/<list>/<id>.json`, as a record. Pure.

The format is not documented. What is written here was read in Claude Code 2.1.197 and 2.1.330 and
measured on both:

- One JSON object a file, 2-space indent: `id`, `subject`, `description`, `status`, `blocks` and
  `blockedBy` are required; `activeForm`, `owner` and `metadata` are absent where they have no
  value. A file that does not meet this is no task to Claude Code, `"owner": null` included.
- Top-level keys that Claude Code does not know are dropped when it next writes the task, so what is
  ours goes into `metadata`. We keep all keys that we do not know.
- `status` is pending, in_progress or completed. Any other text is kept and is never "done".
- `blockedBy` is not emptied when a blocker is completed: a blocker that is completed, or gone, does
  not block.
- Ids count up from the largest number among the file names and `.highwatermark`, which keeps the
  numbers of deleted tasks from being given again.
- The names of lists and tasks on disk have a `-` for every character outside `[A-Za-z0-9_-]`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import ConfigError, TaskListError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

#: Longest name of a directory on the file systems that people have.
MAX_NAME_CHARS = 255

#: The largest whole number that JavaScript knows exactly.
MAX_NUMBER = 2**53 - 1

_FIELDS = frozenset(
    {
        "id",
        "subject",
        "description",
        "activeForm",
        "owner",
        "status",
        "blocks",
        "blockedBy",
        "metadata",
    }
)


class TaskStatus(str, Enum):
    """The states of a task that Claude Code knows; there is none for failure."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRecord:
    """A task as it is on disk.

    Args:
        id: The task's id; its file has the same name.
        subject: The line that lists show.
        description: What TaskGet shows.
        status: A `TaskStatus`, or the text that was found where it is none.
        blocks: Ids of the tasks that wait for this one.
        blocked_by: Ids of the tasks that this one waits for.
        active_form: The line shown while the task is in progress.
        owner: Who works on it.
        metadata: Whatever programs keep about it.
        unknown: The keys found that Claude Code does not have.
    """

    id: str
    subject: str
    description: str
    status: TaskStatus | str = TaskStatus.PENDING
    blocks: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    active_form: str | None = None
    owner: str | None = None
    metadata: Mapping[str, Any] | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return self.status == TaskStatus.COMPLETED

    def is_free_for(self, owner: str) -> bool:
        """Tell whether `owner` may claim it: pending, and set aside for nobody else."""
        # An empty owner is no owner to Claude Code's own claim.
        return self.status == TaskStatus.PENDING and self.owner in (None, "", owner)

    def is_held_by(self, owner: str) -> bool:
        return self.status == TaskStatus.IN_PROGRESS and self.owner == owner

    def claimed(self, owner: str) -> TaskRecord:
        """Return the task as `owner` has claimed it."""
        return replace(self, status=TaskStatus.IN_PROGRESS, owner=owner)

    def released(self) -> TaskRecord:
        """Return the task as anybody may claim it."""
        return replace(self, status=TaskStatus.PENDING, owner=None)

    def completed(self, metadata: Mapping[str, Any]) -> TaskRecord:
        """Return the task completed, `metadata` added to what it has."""
        merged = {**(self.metadata or {}), **metadata}
        return replace(self, status=TaskStatus.COMPLETED, metadata=merged or self.metadata)

    def without_links_to(self, task_ids: Collection[str]) -> TaskRecord:
        """Return the task without these tasks among those it blocks or waits for."""
        return replace(
            self,
            blocks=tuple(id_ for id_ in self.blocks if id_ not in task_ids),
            blocked_by=tuple(id_ for id_ in self.blocked_by if id_ not in task_ids),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the task as Claude Code writes it, without the fields that it does not have."""
        optional = {
            "activeForm": self.active_form,
            "owner": self.owner,
            "metadata": None if self.metadata is None else dict(self.metadata),
        }
        return {
            "id": self.id,
            "subject": self.subject,
            "description": self.description,
            "status": str(self.status),
            "blocks": list(self.blocks),
            "blockedBy": list(self.blocked_by),
            **{name: value for name, value in optional.items() if value is not None},
            **self.unknown,
        }


def render(record: TaskRecord) -> bytes:
    """Return the bytes of the task's file.

    Raises:
        TaskListError: Its metadata cannot be written as JSON.
    """
    value = record.to_json()
    try:
        try:
            return _dump(value, _PLAIN, _PLAIN_NESTED).encode()
        except UnicodeEncodeError:
            # Half a surrogate pair has no UTF-8; JavaScript escapes it, and so do we.
            return _dump(value, _ESCAPED, _ESCAPED_NESTED).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskListError(
            f"task {record.id} ({record.subject!r:.80}) cannot be written as JSON: {error}"
        ) from None


def parse(data: bytes, where: str) -> TaskRecord:
    """Return the task that a file holds.

    Args:
        data: The file's bytes.
        where: The file's path, for messages.

    Raises:
        TaskListError: It is not JSON, or not a task; the message names the field.
    """
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        problem = f"not JSON: {error}" if data.strip() else "the file is empty"
        raise TaskListError(f"{where}: {problem}") from None
    if not isinstance(value, dict):
        raise TaskListError(f"{where}: a task is a JSON object, this is {value!r:.80}")
    return TaskRecord(
        id=_text(value, "id", where),
        subject=_text(value, "subject", where),
        description=_text(value, "description", where),
        status=_status(_text(value, "status", where)),
        blocks=_texts(value, "blocks", where),
        blocked_by=_texts(value, "blockedBy", where),
        active_form=_text(value, "activeForm", where) if "activeForm" in value else None,
        owner=_text(value, "owner", where) if "owner" in value else None,
        metadata=_mapping(value, "metadata", where) if "metadata" in value else None,
        unknown={name: kept for name, kept in value.items() if name not in _FIELDS},
    )


def sanitise(name: str) -> str:
    """Return the name of a list's directory, as Claude Code makes it from the list's id.

    `.` becomes `-`, `..` becomes `--`, `../x` becomes `---x`: no id leads out of the directory of
    lists. Two ids can come to the same list: `a.b` and `a-b`.

    Raises:
        ConfigError: The id is empty, or too long for the name of a directory.
    """
    dashed = _dashed(name)
    if not dashed:
        raise ConfigError("the id of the task list is empty; name one, or leave the setting out")
    if len(dashed) > MAX_NAME_CHARS:
        raise ConfigError(
            f"the id of the task list {name[:40]!r}... has {len(dashed)} characters, which no "
            f"directory's name can have; use at most {MAX_NAME_CHARS}"
        )
    return dashed


def file_name(task_id: str) -> str:
    """Return the name of the task's file in its list's directory."""
    return f"{_dashed(task_id)}.json"


def leading_number(text: str) -> int:
    """Return the number that a file name or `.highwatermark` begins with, else 0.

    Claude Code reads both with JavaScript's `parseInt`: `12.json`, `12a.json` and `12` are all 12.
    """
    found = re.match(r"\s*\+?([0-9]{1,300})", text)
    number = int(found[1]) if found else 0
    # JavaScript cannot count on from a larger one, and no list gets there by counting.
    return number if number <= MAX_NUMBER else 0


def first_free_number(names: Iterable[str], mark: int) -> int:
    """Return the first id that no task has or had.

    Args:
        names: The names in the list's directory.
        mark: What `.highwatermark` says.
    """
    taken = (leading_number(name) for name in names if name.endswith(".json"))
    return max(mark, max(taken, default=0)) + 1


def _dashed(name: str) -> str:
    # Claude Code replaces UTF-16 code units, of which characters beyond U+FFFF have two.
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: "-" * (1 + (found[0] > "\uffff")), name)


def _encoder(*, escape: bool, indent: int | None = None) -> Callable[[Any], str]:
    return json.JSONEncoder(ensure_ascii=escape, allow_nan=False, indent=indent).encode


_PLAIN, _PLAIN_NESTED = _encoder(escape=False), _encoder(escape=False, indent=2)
_ESCAPED, _ESCAPED_NESTED = _encoder(escape=True), _encoder(escape=True, indent=2)


def _dump(
    value: Mapping[str, Any], flat: Callable[[Any], str], nested: Callable[[Any], str]
) -> str:
    # The same text as `json.dumps(value, indent=2)`, whose encoder is Python code and slow: here
    # only what is nested goes through it.
    lines = (
        f"  {flat(name)}: {nested(part).replace(_BREAK, _DEEPER) if _nests(part) else flat(part)}"
        for name, part in value.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}"


_BREAK, _DEEPER = "\n", "\n  "


def _nests(value: object) -> bool:
    return bool(value) and isinstance(value, dict | list | tuple)


def _status(text: str) -> TaskStatus | str:
    try:
        return TaskStatus(text)
    except ValueError:
        return text


def _text(value: Mapping[str, Any], name: str, where: str) -> str:
    text = _required(value, name, where)
    if not isinstance(text, str):
        raise TaskListError(f'{where}: "{name}" must be a text, not {text!r:.80}')
    return text


def _texts(value: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    texts = _required(value, name, where)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TaskListError(f'{where}: "{name}" must be a list of texts, not {texts!r:.80}')
    return tuple(texts)


def _mapping(value: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    mapping = _required(value, name, where)
    if not isinstance(mapping, dict):
        raise TaskListError(f'{where}: "{name}" must be an object, not {mapping!r:.80}')
    return mapping


def _required(value: Mapping[str, Any], name: str, where: str) -> object:
    if name not in value:
        raise TaskListError(f'{where}: "{name}" is missing')
    return value[name]


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, JavaScript does not: to Claude Code such a file is no task.
    raise ValueError(f"{name} is not JSON")
