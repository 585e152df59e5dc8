"""A pipe whose node runs, and logs, in another process."""

import logging

import structlog
from tests.headrace_worker.app import Answer, Number

from headrace import Pipe

pipe = Pipe("elsewhere")


@pipe.node(executor="process", group="far")
def work(message: Number) -> Answer:
    logging.getLogger("third.party").warning("seen there")
    structlog.get_logger("own").warning("charging", password="sesame", customer="ada")
    return Answer(str(message.value))
