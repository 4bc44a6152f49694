/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/commands.h"

static const struct command commands[] = {
    {"init", witness_init, "--dir DIR --name NAME [--listen ADDR:PORT]",
	"make DIR with a new key and an empty state; print the witness's vkey"},
    {"serve", witness_serve,
	"--dir DIR [--listen ADDR:PORT] [--metrics-listen ADDR:PORT]\n"
	"                    [--trusted-proxy ADDR[/BITS]]... [--log-format "
	"text|json|journal]",
	"cosign the checkpoints of the logs that were added, until TERM"},
    {"add-log", witness_add_log,
	"--dir DIR VKEY... [--url URL] [--per-day N] [--replace]",
	"let a log's checkpoints be cosigned; a running witness sees it at "
	"once"},
    {"status", witness_status, "--dir DIR [--json]",
	"say what was cosigned of each log, and whether a witness runs"},
    {"evidence", witness_evidence, "--dir DIR [--output FOLDER]",
	"write what is kept of forks as files that stand alone, for mtlog "
	"inspect"},
};

int
main(int argc, char **argv)
{
	static const struct command_table table = {
	    .program = "mtlog-witness",
	    .about = "cosign the checkpoints of transparency logs",
	    .commands = commands,
	    .count = sizeof(commands) / sizeof(commands[0]),
	    .see = "See mtlog-witness(1).",
	};

	return command_main(&table, argc, argv);
}
