"""Who may do what in a room, as values."""

from dataclasses import replace

import pytest

from chat.core.rooms import Command, Forbidden, Role, Room, Verb, canonical, command

NOW = 1000.0
ROOM = Room("tea", roles={"owner": Role.OWNER, "mod": Role.MODERATOR, "other": Role.MODERATOR})


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.INVITE])
def test_a_member_commands_nothing_but_an_invitation(verb: Verb) -> None:
    with pytest.raises(Forbidden, match="takes the role"):
        command(ROOM, "ann", Command(verb, "bob"), NOW)
    assert command(ROOM, "ann", Command(Verb.INVITE, "bob"), NOW).invited == {"bob"}


@pytest.mark.parametrize("verb", list(Verb))
def test_who_may_not_be_in_a_room_commands_nothing_there(verb: Verb) -> None:
    private = replace(ROOM, private=True)
    with pytest.raises(Forbidden, match="private"):
        command(private, "eve", Command(verb, "eve", seconds=60), NOW)
    banned = replace(ROOM, banned={"mod": NOW + 60})
    with pytest.raises(Forbidden, match="banned"):
        command(banned, "mod", Command(verb, "eve", seconds=60), NOW)


def test_no_ban_and_no_mute_holds_against_an_administrator_of_the_service() -> None:
    room = replace(ROOM, banned={"root": NOW + 60}, muted={"root": NOW + 60})
    room.require_voice("root", NOW, admin=True)
    for verb in (Verb.KICK, Verb.BAN, Verb.MUTE):
        with pytest.raises(Forbidden, match="as high a role"):
            command(ROOM, "owner", Command(verb, "root", seconds=60), NOW, against_admin=True)


def test_a_name_with_an_at_is_a_conversation_with_somebody_else() -> None:
    assert canonical("bob", "@ann") == canonical("ann", "@bob") == "ann+bob"
    assert canonical("bob", "tea") == "tea"
    for room in ("@bob", "@", "@Ann", "@ann+cleo"):
        with pytest.raises(Forbidden, match="nobody one could talk to"):
            canonical("bob", room)


@pytest.mark.parametrize("verb", [Verb.KICK, Verb.BAN, Verb.MUTE])
def test_nobody_is_thrown_out_by_an_equal(verb: Verb) -> None:
    for by, whom in (("mod", "other"), ("mod", "owner"), ("owner", "owner")):
        with pytest.raises(Forbidden, match="as high a role"):
            command(ROOM, by, Command(verb, whom, seconds=60), NOW)
    assert command(ROOM, "owner", Command(verb, "mod", seconds=60), NOW)
    assert command(ROOM, "anybody", Command(verb, "owner", seconds=60), NOW, admin=True)


def test_a_ban_ends_by_itself_and_outranks_an_invitation() -> None:
    invited = replace(ROOM, private=True, invited=frozenset({"ann"}))
    invited.require_entry("ann", NOW)
    banned = command(invited, "mod", Command(Verb.BAN, "ann", seconds=60), NOW)
    with pytest.raises(Forbidden, match="another 60 s"):
        banned.require_entry("ann", NOW)
    with pytest.raises(Forbidden, match="private"):
        banned.require_entry("ann", NOW + 61)


def test_only_a_higher_role_is_given() -> None:
    made = command(ROOM, "owner", Command(Verb.ROLE, "ann", text="moderator"), NOW)
    assert made.role("ann") is Role.MODERATOR
    for text in ("admin", "king", ""):
        with pytest.raises(Forbidden, match="you can give"):
            command(ROOM, "owner", Command(Verb.ROLE, "ann", text=text), NOW)


def test_a_private_conversation_has_two_and_no_administrator() -> None:
    room = Room("ann+bob", private=True)
    room.require_voice("ann", NOW)
    with pytest.raises(Forbidden, match="two others"):
        room.require_entry("eve", NOW, admin=True)
    with pytest.raises(Forbidden, match="no administrators"):
        command(room, "ann", Command(Verb.TOPIC), NOW)


@pytest.mark.parametrize("verb", list(Verb))
def test_a_room_is_the_same_after_a_journey(verb: Verb) -> None:
    changed = command(ROOM, "owner", Command(verb, "ann", "member", 60.0), NOW)
    assert Room.from_dict(changed.as_dict()) == changed
