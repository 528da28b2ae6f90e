"""Proves that the audit log loses nothing, and that no change to it stays unseen."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.audit.writing import SECRET, opened

from roundview_catalog.errors import AccessError
from roundview_federation.audit.chain import Chain, chain_folder, chains, segment_path, segments
from roundview_federation.audit.log import AuditLog, AuditPlace, Shape
from roundview_federation.audit.pseudonyms import Pseudonyms
from roundview_federation.audit.reading import Verdict, records, verify
from roundview_identity.keys import Keys

CHAIN = Chain(Keys(SECRET))
START = datetime(2026, 1, 1, tzinfo=UTC)


async def filled(folder: Path, count: int, *, segment_bytes: int | None = None) -> AuditPlace:
    """Writes records, each in a group of its own, and closes the log."""
    log = opened(folder, segment_bytes=segment_bytes)
    for number in range(count):
        await log.keep({"is": "intent", "id": str(number)}, [f"customer {number % 3}"])
    await asyncio.to_thread(log.close)
    return log.place


def verdict(place: AuditPlace) -> Verdict:
    """Returns what is wrong with a log."""
    return verify(place, CHAIN)


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AuditPlace:
    """Returns a log of three segments; nobody may change it."""
    return await filled(tmp_path_factory.mktemp("whole"), 9, segment_bytes=700)


@pytest.fixture
def copy(whole: AuditPlace, tmp_path: Path) -> AuditPlace:
    """Returns a copy of it."""
    shutil.copytree(whole.folder.parent, tmp_path / "copy")
    return AuditPlace.beside(tmp_path / "copy")


def log_files(place: AuditPlace) -> Iterator[Path]:
    """Yields the files whose every byte counts."""
    yield from (segment_path(place.folder, one) for one in segments(place.folder))
    yield place.folder / "tip"
    yield place.heads


async def test_what_is_kept_can_be_read(whole: AuditPlace) -> None:
    found = verdict(whole)
    assert (found.findings, found.segments) == ([], 3)
    told = [one for one in records(whole.folder) if one["is"] == "intent"]
    assert [one["id"] for one in told] == [str(number) for number in range(9)]
    assert len({one["who"][0] for one in told}) == 3
    assert [one["number"] for one in records(whole.folder)] == list(range(1, found.records + 1))


async def test_every_changed_bit_is_found(copy: AuditPlace) -> None:
    unseen = []
    for path in log_files(copy):
        data = path.read_bytes()
        for at in range(len(data)):
            bit = 1 << (at % 8)
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            if verdict(copy).is_whole:
                unseen.append((path.name, at))
        path.write_bytes(data)
    assert unseen == []
    assert verdict(copy).is_whole


async def test_every_truncation_is_found(copy: AuditPlace) -> None:
    unseen = []
    for path in log_files(copy):
        if path == copy.heads:
            continue
        data = path.read_bytes()
        for size in range(len(data)):
            path.write_bytes(data[:size])
            if verdict(copy).is_whole:
                unseen.append((path.name, size))
        path.write_bytes(data)
    assert unseen == []


async def test_every_deleted_moved_or_repeated_record_is_found(copy: AuditPlace) -> None:
    unseen = []
    for path in log_files(copy):
        if path == copy.heads:
            continue
        lines = path.read_bytes().splitlines(keepends=True)
        if len(lines) < 2:
            continue
        for at in range(len(lines)):
            swapped = [*lines]
            swapped[at - 1], swapped[at] = swapped[at], swapped[at - 1]
            for changed in (lines[:at] + lines[at + 1 :], swapped, [*lines[:at], *lines[at:][:1], *lines[at:]]):  # fmt: skip
                path.write_bytes(b"".join(changed))
                if verdict(copy).is_whole:
                    unseen.append((path.name, at))
        path.write_bytes(b"".join(lines))
    assert unseen == []


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_missing_segment_is_found(copy: AuditPlace, number: int) -> None:
    segment_path(copy.folder, number).unlink()
    assert not verdict(copy).is_whole


async def test_the_whole_folder_of_an_earlier_time_is_found_by_the_heads(tmp_path: Path) -> None:
    place = await filled(tmp_path, 3)
    shutil.copytree(place.folder, tmp_path / "before")
    await filled(tmp_path, 3)
    shutil.rmtree(place.folder)
    (tmp_path / "before").rename(place.folder)
    assert [one for one in verdict(place).findings if "a head names record" in one]
    shutil.rmtree(place.folder)
    assert not verdict(place).is_whole


async def test_a_log_of_another_secret_is_told(whole: AuditPlace) -> None:
    found = verify(whole, Chain(Keys(b"x" * 32)))
    assert "another" in found.findings[0]


@pytest.mark.parametrize("lost", ["tip", "00000003.log"])
async def test_nothing_is_written_behind_a_log_that_was_changed(
    copy: AuditPlace, lost: str
) -> None:
    (copy.folder / lost).unlink()
    log = opened(copy.folder.parent)
    with pytest.raises(AccessError) as refused:
        await log.keep({"is": "intent"})
    await asyncio.to_thread(log.close)
    assert refused.value.code == "RV310"


async def test_what_was_asked_for_is_said_again_after_a_group_that_failed(tmp_path: Path) -> None:
    log = opened(tmp_path)
    await log.keep({"is": "intent", "id": "first"})
    segment = segment_path(log.place.folder, 1)
    segment.rename(tmp_path / "elsewhere")
    shape = Shape("abcd", b'{"is":"shape","shape":"abcd"}')
    with pytest.raises(AccessError):
        await log.keep({"is": "intent", "shape": "abcd"}, shape=shape)
    (tmp_path / "elsewhere").rename(segment)
    for _ in range(2):
        await log.keep({"is": "intent", "shape": "abcd"}, shape=shape)
    await asyncio.to_thread(log.close)
    told = [one["is"] for one in records(log.place.folder)]
    assert told == ["segment", "intent", "shape", "intent", "intent"]
    assert verdict(log.place).is_whole


async def test_what_nobody_waits_for_is_there_at_the_end(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.note({"is": "outcome", "id": "in a loop"})
    await asyncio.to_thread(log.note, {"is": "outcome", "id": "elsewhere"})
    await asyncio.to_thread(log.close)
    told = [one["id"] for one in records(log.place.folder) if one["is"] == "outcome"]
    assert told == ["in a loop", "elsewhere"]


async def test_a_log_that_was_removed_is_told(tmp_path: Path) -> None:
    log = opened(tmp_path)
    await log.keep({"is": "intent"})
    shutil.rmtree(log.place.folder)
    with pytest.raises(AccessError) as refused:
        await log.keep({"is": "intent"})
    await asyncio.to_thread(log.close)
    assert refused.value.code == "RV310"


async def test_nobody_else_may_read_the_log(tmp_path: Path) -> None:
    place = await filled(tmp_path, 1)
    assert place.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.folder.iterdir()} == {0o600}
    assert place.heads.stat().st_mode & 0o777 == 0o600


async def test_killed_at_any_moment_nothing_that_was_kept_is_lost(tmp_path: Path) -> None:
    kept: list[str] = []
    chance = random.Random(7)
    for turn in range(6):
        writers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.audit.writing", str(tmp_path), f"{turn}-{name}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in ("a", "b")
        ]
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(chance.randrange(20, 90)):
                kept.append(writer.stdout.readline().strip())
            writer.send_signal(signal.SIGKILL)
            # What it said before it was killed counts as well.
            kept += [line.strip() for line in writer.stdout if line.endswith("\n")]
            writer.stdout.close()
            writer.wait()
    place = await filled(tmp_path, 1)
    found = verdict(place)
    assert found.findings == []
    there = [one["id"] for one in records(place.folder) if one["is"] == "intent"]
    assert len(kept) > 200
    assert set(kept) - set(there) == set()
    assert len(there) == len(set(there))


async def together(folder: Path) -> AuditPlace:
    """Writes a log by turns from two who have it open at the same time."""
    place = AuditPlace.beside(folder)
    clock = START.replace
    logs = [AuditLog(place, Keys(SECRET), clock=clock, segment_bytes=700) for _ in range(2)]
    for number in range(8):
        log = logs[number % 2]
        at = (START + timedelta(seconds=number)).isoformat()
        await log.keep({"is": "intent", "id": str(number), "at": at}, ["anna"])
    for log in logs:
        await asyncio.to_thread(log.close)
    return place


async def test_each_process_has_a_chain_of_its_own(tmp_path: Path) -> None:
    place = await together(tmp_path)
    assert chains(place.folder) == [1, 2]
    found = verdict(place)
    assert (found.findings, found.segments) == ([], 4)
    told = [one for one in records(place.folder) if one["is"] == "intent"]
    assert [(one["id"], one["chain"]) for one in told] == [(str(n), 1 + n % 2) for n in range(8)]
    assert len({one["who"][0] for one in told}) == 1
    await filled(tmp_path, 1)
    assert chains(place.folder) == [1, 2]
    assert len(list(records(place.folder))) == found.records + 1


async def test_a_chain_that_is_missing_or_another_one_is_found(tmp_path: Path) -> None:
    place = await together(tmp_path)
    second = chain_folder(place.folder, 2)
    second.rename(tmp_path / "kept")
    assert [one for one in verdict(place).findings if one.endswith("is missing of chain 2")]
    second.mkdir()
    for path in (place.folder / "tip", *place.folder.glob("*.log")):
        shutil.copy(path, second)
    assert not verdict(place).is_whole
    shutil.rmtree(second)
    shutil.copytree(tmp_path / "kept", chain_folder(place.folder, 3))
    place.heads.unlink()
    assert "chain 2 is missing" in verdict(place).findings
    (tmp_path / "kept").rename(second)
    shutil.rmtree(chain_folder(place.folder, 3))
    assert verdict(place).is_whole


async def test_a_log_that_is_begun_is_known_elsewhere_at_once(tmp_path: Path) -> None:
    log = opened(tmp_path)
    await log.keep({"is": "intent"})
    shutil.rmtree(log.place.folder)
    assert [one for one in verdict(log.place).findings if "a head names record 2" in one]
    await asyncio.to_thread(log.close)


async def test_a_log_that_is_open_is_whole_and_every_change_to_its_records_found(
    tmp_path: Path,
) -> None:
    log = opened(tmp_path)
    await log.keep({"is": "intent"}, ["anna"])
    await log.keep({"is": "intent"}, ["ben"])
    path = segment_path(log.place.folder, 1)
    data = path.read_bytes()
    length = len(data.rstrip(b"\0"))
    assert length < len(data)
    assert verdict(log.place).is_whole
    unseen = []
    for at in range(length):
        # As long as it was, and cut off or overwritten with nothing.
        for changed in (data[:at], data[:at] + bytes(len(data) - at)):
            path.write_bytes(changed)
            if verdict(log.place).is_whole:
                unseen.append(at)
    assert unseen == []
    path.write_bytes(data)
    await asyncio.to_thread(log.close)
    assert path.stat().st_size == length


async def test_what_a_crash_left_behind_the_tip_is_kept_or_cut_off(tmp_path: Path) -> None:
    place = await filled(tmp_path, 2)
    tip = (place.folder / "tip").read_bytes()
    await filled(tmp_path, 1)
    # A power cut: records are on disk, the tip is an older one, half a record follows.
    (place.folder / "tip").write_bytes(tip)
    with segment_path(place.folder, 1).open("ab") as file:
        file.write(b'9 00ab {"is":')
    await filled(tmp_path, 1)
    found = verdict(place)
    assert (found.findings, found.recoveries) == ([], 1)
    assert len([one for one in records(place.folder) if one["is"] == "intent"]) == 4


async def test_segments_end_by_size_and_are_removed_when_they_are_old(tmp_path: Path) -> None:
    now = START
    place = AuditPlace(tmp_path / "audit", tmp_path / "heads", keep_days=30)
    log = AuditLog(place, Keys(SECRET), clock=lambda: now, segment_bytes=400)
    for _ in range(40):
        await log.keep({"is": "intent"})
        now += timedelta(days=2)
    await asyncio.to_thread(log.close)
    there = segments(place.folder)
    assert 1 < there[0] < there[-1]
    assert verdict(place).findings == []
    oldest = next(iter(records(place.folder)))
    assert now - timedelta(days=40) < datetime.fromisoformat(oldest["at"])
    segment_path(place.folder, there[0]).unlink()
    assert not verdict(place).is_whole


async def test_on_a_full_disk_nothing_counts_as_kept_until_there_is_room(tmp_path: Path) -> None:
    program = (
        "import asyncio, resource, sys\n"
        "from pathlib import Path\n"
        "from tests.audit.writing import opened\n"
        "from roundview_catalog.errors import AccessError\n"
        "async def main():\n"
        "    log = opened(Path(sys.argv[1]), segment_bytes=None)\n"
        "    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "    await log.keep({'is': 'intent', 'id': 'before'})\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (700, hard))\n"
        "    for number in range(20):\n"
        "        try:\n"
        "            await log.keep({'is': 'intent', 'id': 'x' * 100})\n"
        "        except AccessError as error:\n"
        "            print(error.code)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
        "    await log.keep({'is': 'intent', 'id': 'after'})\n"
        "    log.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    refused = done.stdout.split()
    place = AuditPlace.beside(tmp_path)
    there = [one["id"] for one in records(place.folder) if one["is"] == "intent"]
    assert set(refused) == {"RV310"}
    assert (there[0], there[-1], len(there)) == ("before", "after", 22 - len(refused))
    assert verdict(place).is_whole


async def test_a_forgotten_customer_is_nobody(tmp_path: Path) -> None:
    names = Pseudonyms(tmp_path / "names.db", Keys(SECRET))
    before = names.of(["anna", "ben"])
    assert before == names.of(["ben", "anna"]) == names.known(["anna", "ben", "cara"])
    assert names.forget(["anna", "cara"]) == 1
    assert names.known(["anna", "ben"]) == {"ben": before["ben"]}
    assert names.of(["anna"])["anna"] != before["anna"]
    names.close()
    assert b"anna" in (tmp_path / "names.db").read_bytes()
    names.forget(["anna"])
    names.close()
    assert b"anna" not in (tmp_path / "names.db").read_bytes()
