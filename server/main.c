/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"

static const struct command commands[] = {
    {"init", cmd_init,
	"--dir DIR --origin NAME [--listen ADDR:PORT]\n"
	"                    [--key-type ed25519|p256] [--follows OLD-DIR]",
	"make DIR with a new key, database and configuration; print the "
	"log's vkey"},
    {"serve", cmd_serve, "--dir DIR [--listen ADDR:PORT] [--KEY VALUE]...",
	"serve the log until TERM"},
    {"check", cmd_check, "--dir DIR [--list-keys]",
	"check the configuration and say what would be served"},
    {"status", cmd_status, "--dir DIR [--json]",
	"say how the log is: sizes, readiness, what confines it"},
    {"fsck", cmd_fsck, "--dir DIR [--repair] [--json]",
	"recompute everything from the entries; 0 if all is right"},
    {"backup", cmd_backup, "--dir DIR --to FOLDER",
	"copy the entries up to one signed checkpoint, beside a running "
	"server"},
    {"restore", cmd_restore,
	"--dir DIR --from-backup FOLDER [--key PEM]\n"
	"                    [--guard FILE]... [--from URL] [--seen FILE]...\n"
	"                    [--read-only] [--required-since-backup]",
	"make a log again out of a backup, if that is safe"},
    {"envelope", cmd_envelope, "drop S --dir DIR --yes",
	"erase the envelope S for ever, but not that it was there"},
    {"freeze", cmd_freeze, "--dir DIR --yes",
	"end the log for ever: nothing new is signed"},
};

int
main(int argc, char **argv)
{
	static const struct command_table table = {
	    .program = "mtlogd",
	    .about = "a transparency log server for signed models",
	    .commands = commands,
	    .count = sizeof(commands) / sizeof(commands[0]),
	    .see = "See mtlogd(8) and mtlogd.conf(5).",
	};

	return command_main(&table, argc, argv);
}
