"""Which page opens first."""

from perijove.singleuser.start_page import choose_start_page


def test_the_users_configuration_comes_first_then_the_hubs_order() -> None:
    assert choose_start_page("/mine", "/ordered", "", {"lab"}) == "/mine"
    assert choose_start_page("", "/ordered", "", {"lab"}) == "/ordered"


def test_without_either_the_best_front_end_that_is_there_opens() -> None:
    assert choose_start_page("", "", "", {"lab", "notebook", "nbclassic"}) == "/lab"
    assert choose_start_page("", "", "", {"notebook"}) == "/tree"
    assert choose_start_page("", "", "", {"retrolab", "nbclassic"}) == "/retro"
    assert choose_start_page("", "", "", set()) == "/"


def test_a_preferred_front_end_counts_only_when_it_is_there() -> None:
    assert choose_start_page("", "", "notebook", {"lab", "notebook"}) == "/tree"
    assert choose_start_page("", "", "notebook", {"lab"}) == "/lab"
