"""The ``medlink`` command."""

from __future__ import annotations

import logging

import click

from medlink import __version__
from medlink.cli.evaluate import evaluate
from medlink.cli.explain import explain
from medlink.cli.ingest import ingest
from medlink.cli.ledger import ledger
from medlink.cli.link import link
from medlink.cli.ontology import ontology
from medlink.cli.queue import queue
from medlink.cli.refine import refine
from medlink.cli.releases import releases
from medlink.cli.relink import relink
from medlink.cli.train import train
from medlink.errors import MedlinkError


class MedlinkGroup(click.Group):
    """A command group that turns medlink's errors into one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; no error of medlink's own reaches the user as a traceback."""
        try:
            return super().invoke(ctx)
        except MedlinkError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=MedlinkGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="medlink")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what is done; never any text of a note.")
def main(verbose: bool) -> None:
    """Find medical concepts in clinical notes and link them to an ontology.

    Start with:  medlink link NOTES --out links.html --format html
    """
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")


for command in (link, relink, explain, queue, ingest, ledger, refine, releases, ontology, evaluate, train):
    main.add_command(command)
