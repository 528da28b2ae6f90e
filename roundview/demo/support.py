"""Writes the support desk, whose form values are rows, and runs its REST app."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from roundview.demo import texts
from roundview.demo.records import HelpUser, Ticket
from roundview.demo.writer import TableWriter

FILE = "support.db"
FIRST_USER = 301
FIRST_TICKET_NUMBER = 500_000
TOKEN_VARIABLE = "SUPPORT_TOKEN"  # noqa: S105

DDL = (
    """CREATE TABLE ost_user (
        id integer PRIMARY KEY, org_id int NOT NULL DEFAULT 0, default_email_id int NOT NULL,
        status int NOT NULL DEFAULT 0, name varchar(128) NOT NULL, created datetime NOT NULL,
        updated datetime NOT NULL)""",
    """CREATE TABLE ost_user_email (
        id integer PRIMARY KEY, user_id int NOT NULL, flags int NOT NULL DEFAULT 0,
        address varchar(255) NOT NULL)""",
    """CREATE TABLE ost_ticket (
        ticket_id integer PRIMARY KEY, number varchar(20) NOT NULL, user_id int NOT NULL,
        status_id int NOT NULL, dept_id int NOT NULL, topic_id int NOT NULL, staff_id int NOT NULL,
        source varchar(8) NOT NULL, isoverdue int NOT NULL DEFAULT 0, isanswered int NOT NULL,
        duedate datetime, reopened datetime, closed datetime, lastupdate datetime NOT NULL,
        created datetime NOT NULL, updated datetime NOT NULL)""",
    """CREATE TABLE ost_ticket_status (
        id integer PRIMARY KEY, name varchar(60) NOT NULL, state varchar(16) NOT NULL)""",
    "CREATE TABLE ost_help_topic (topic_id integer PRIMARY KEY, topic varchar(128) NOT NULL)",
    "CREATE TABLE ost_department (id integer PRIMARY KEY, name varchar(128) NOT NULL)",
    "CREATE TABLE ost_staff (staff_id integer PRIMARY KEY, name varchar(64) NOT NULL)",
    """CREATE TABLE ost_thread (
        id integer PRIMARY KEY, object_id int NOT NULL, object_type char(1) NOT NULL,
        created datetime NOT NULL)""",
    """CREATE TABLE ost_thread_entry (
        id integer PRIMARY KEY, thread_id int NOT NULL, staff_id int NOT NULL DEFAULT 0,
        user_id int NOT NULL DEFAULT 0, type char(1) NOT NULL, poster varchar(128) NOT NULL,
        title varchar(255), body text NOT NULL, source varchar(32) NOT NULL DEFAULT '',
        created datetime NOT NULL)""",
    """CREATE TABLE ost_form_field (
        id integer PRIMARY KEY, form_id int NOT NULL, type varchar(255) NOT NULL,
        label varchar(255) NOT NULL, name varchar(64) NOT NULL)""",
    """CREATE TABLE ost_form_entry (
        id integer PRIMARY KEY, form_id int NOT NULL, object_id int NOT NULL,
        object_type char(1) NOT NULL, created datetime NOT NULL)""",
    """CREATE TABLE ost_form_entry_values (
        entry_id int NOT NULL, field_id int NOT NULL, value text,
        PRIMARY KEY (entry_id, field_id)) WITHOUT ROWID""",
    """CREATE TABLE ost_satisfaction (
        id integer PRIMARY KEY, ticket_id int NOT NULL, score int NOT NULL, comment text,
        created datetime NOT NULL)""",
)

INDEXES = (
    "CREATE INDEX user_email_user ON ost_user_email (user_id)",
    "CREATE INDEX user_email_address ON ost_user_email (address COLLATE NOCASE)",
    "CREATE UNIQUE INDEX ticket_number ON ost_ticket (number)",
    "CREATE INDEX ticket_user ON ost_ticket (user_id)",
    "CREATE UNIQUE INDEX thread_object ON ost_thread (object_type, object_id)",
    "CREATE INDEX thread_entry_thread ON ost_thread_entry (thread_id)",
    "CREATE INDEX form_entry_object ON ost_form_entry (object_type, object_id)",
    "CREATE INDEX satisfaction_ticket ON ost_satisfaction (ticket_id)",
)

FIELDS = ((1, 1, "phone", "Phone Number", "phone"), (2, 1, "memo", "Internal Notes", "notes"),
          (3, 2, "priority", "Priority Level", "priority"),
          (4, 2, "text", "Issue Summary", "subject"),
          (5, 2, "text", "Order Number", "order_number"))  # fmt: skip
_PHONE, _PRIORITY, _SUBJECT, _ORDER = 1, 3, 4, 5
_STATES = ("open", "resolved", "closed", "archived", "deleted")
_TOPICS = tuple(dict.fromkeys(topic for *_, topic in texts.TICKETS))
_DEPARTMENTS = ("Service", "Workshop")


class SupportWriter:
    """The support desk of one estate, written person by person."""

    def __init__(self, directory: Path) -> None:
        self._out = TableWriter(directory / FILE, DDL)
        for row in FIELDS:
            self._out.add("ost_form_field", *row)
        for table, names in (
            ("ost_help_topic", _TOPICS),
            ("ost_department", _DEPARTMENTS),
            ("ost_staff", texts.AGENTS),
        ):
            for number, name in enumerate(names, 1):
                self._out.add(table, number, name)
        for number, state in enumerate(_STATES, 1):
            self._out.add("ost_ticket_status", number, state.capitalize(), state)

    def add_user(self, user: HelpUser) -> str:
        """Writes a user with tickets and returns the source key."""
        number = self._out.next_id("ost_user", FIRST_USER)
        emails = [self._out.next_id("ost_user_email") for _ in user.emails]
        self._out.add("ost_user", number, 0, emails[0], 0, user.name, user.created, user.updated)
        for row, address in zip(emails, user.emails, strict=True):
            self._out.add("ost_user_email", row, number, 0, address)
        if user.phone:
            self._form("U", number, 1, {_PHONE: user.phone}, user)
        for ticket in user.tickets:
            self._ticket(number, ticket, user)
        return str(number)

    def close(self) -> None:
        """Finishes the file."""
        self._out.close(INDEXES)

    def _form(
        self, kind: str, number: int, form: int, values: dict[int, str | None], user: HelpUser
    ) -> None:
        entry = self._out.next_id("ost_form_entry")
        self._out.add("ost_form_entry", entry, form, number, kind, user.created)
        for field, value in values.items():
            if value is not None:
                self._out.add("ost_form_entry_values", entry, field, value)

    def _ticket(self, user_id: int, ticket: Ticket, user: HelpUser) -> None:
        number = self._out.next_id("ost_ticket")
        shown = ticket.number or str(FIRST_TICKET_NUMBER + number * 7)
        agent = texts.AGENTS.index(ticket.agent) + 1 if ticket.agent else 0
        updated = max([entry.at for entry in ticket.entries] + [ticket.closed or ticket.created])
        is_answered = int(ticket.entries[-1].kind != "M")
        self._out.add(
            "ost_ticket", number, shown, user_id, _STATES.index(ticket.status) + 1,
            1 + int(ticket.topic == "Repair"), _TOPICS.index(ticket.topic) + 1, agent,
            ticket.channel, 0, is_answered, None, None, ticket.closed, updated, ticket.created,
            updated,
        )  # fmt: skip
        values = {
            _PRIORITY: ticket.priority,
            _SUBJECT: ticket.subject,
            _ORDER: ticket.order_number,
        }
        self._form("T", number, 2, values, user)
        thread = self._out.next_id("ost_thread")
        self._out.add("ost_thread", thread, number, "T", ticket.created)
        for entry in ticket.entries:
            row = self._out.next_id("ost_thread_entry")
            is_user = entry.kind == "M"
            self._out.add(
                "ost_thread_entry", row, thread, 0 if is_user else agent, user_id * is_user,
                entry.kind, entry.poster, None, entry.body, ticket.channel, entry.at,
            )  # fmt: skip
        if ticket.rating:
            score, comment, at = ticket.rating
            row = self._out.next_id("ost_satisfaction")
            self._out.add("ost_satisfaction", row, number, score, comment, at)


@dataclass(slots=True)
class SupportProcess:
    """The running REST app; it ends with its parent, by `stop`, or by a signal to `pid`."""

    pid: int
    port: int
    url: str
    token: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends the app and waits for it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start(
    directory: Path, port: int = 0, *, latency_ms: float = 0, rate: float | None = None
) -> SupportProcess:
    """Starts the REST app of an estate on loopback and returns once it answers.

    Port 0 takes a free one. `rate` is the number of requests per second that it allows.
    Raises RuntimeError if it does not start.
    """
    token = secrets.token_urlsafe(24)
    command = [
        sys.executable, "-m", "roundview.demo.support_app", "--data", str(directory / FILE),
        "--port", str(port), "--latency-ms", str(latency_ms), "--until-stdin-closes",
    ]  # fmt: skip
    if rate is not None:
        command += ["--rate", str(rate)]
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, TOKEN_VARIABLE: token},
        # Its own group: Ctrl+C at the demo ends the demo, which then ends the app.
        start_new_session=True,
    )
    line = process.stdout.readline() if process.stdout else b""
    if not line.strip().isdigit():
        process.kill()
        # Waits and closes the pipes.
        process.communicate()
        raise RuntimeError("the support app did not start; is its port taken?")
    bound = int(line)
    return SupportProcess(process.pid, bound, f"http://127.0.0.1:{bound}/api", token, process)
