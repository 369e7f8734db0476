import logging

from mlanet.cli.log import log_as_lines


def test_what_the_library_logs_is_one_line(capsys):
    logger = logging.getLogger("mlanet.somewhere")
    with log_as_lines():
        logger.warning("something of %s", "note")
        logger.info("nothing of note")
    assert capsys.readouterr().err == "mlanet: something of note\n"
    assert logging.getLogger("mlanet").handlers == []
