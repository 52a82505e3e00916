# SPDX-License-Identifier: GPL-2.0-or-later
# What a guest said, as one TAP document: see boot.sh.  A program that ends
# before its plan, or with a status other than 0, has failed.

function verdict(good, text, why) {
	printf "%s %d - %s%s\n", good ? "ok" : "not ok", ++n, text, why
	if (!good)
		bad++
	fflush()
}

function end_program(status) {
	if (status == 137)
		verdict(0, name " ends within its time", "")
	else if (status != 0 && !failed)
		verdict(0, name " exits with status 0, not " status, "")
	else if (plan == "" && !skipped_all)
		verdict(0, name " has a plan", "")
	else if (plan != "" && seen != plan)
		verdict(0, name " runs its " plan " tests, not " seen, "")
	name = ""
}

leaks && !/^@/ { leaked = leaked "#   " $0 "\n"; next }
/^@insmod/ { if ($2 != 0) verdict(0, "the module loads", ""); next }
/^@begin/ {
	name = $2
	for (i = 3; i <= NF; i++)
		name = name " " $i
	seen = 0; failed = 0; plan = ""; skipped_all = 0
	next
}
/^@end/ { print "# " name ": " $3 " s"; end_program($2); next }
/^@rmmod/ { verdict($2 == 0, "the module is unloaded", ""); next }
/^@leaks/ { leaks = 1; next }
/^@done/ {
	if (leaks) {
		verdict(leaked == "", "kmemleak finds nothing", "")
		printf "%s", leaked
	}
	done = 1
	next
}
/^(not )?ok / {
	good = $1 == "ok"
	text = $0
	sub(/^(not )?ok +[0-9]* *-? */, "", text)
	seen++
	if (!good)
		failed++
	# "# SKIP why" stays the end of the line, as TAP wants it.
	verdict(good, name ": " text, "")
	next
}
/^1\.\.[0-9]+/ {
	plan = $1
	sub(/^1\.\./, "", plan)
	if (plan + 0 == 0) {
		skipped_all = 1
		why = $0
		sub(/^1\.\.0 *#? *(SKIP|skip|Skipped:)? */, "", why)
		printf "ok %d - %s # SKIP %s\n", ++n, name, why
		plan = ""
	}
	next
}
/^@/ { next }
{ print (/^#/ ? "" : "# ") $0; fflush() }

END {
	if (name != "")
		verdict(0, name " ends", "")
	if (ended == 124 || ended == 137)
		verdict(0, "the guest is done within " limit " s", "")
	else
		verdict(done && ended == 0, "the guest comes to its end", "")
	if (!done)
		while ((getline line <qemu) > 0)
			print "#   qemu: " line
	while ((getline line <complained) > 0)
		complaint = complaint "#   " line "\n"
	if (expected == "yes") {
		if (complaint != "")
			print "# the kernel complains:"
	} else
		verdict(complaint == "", "the kernel complains of nothing", "")
	printf "%s", complaint
	printf "1..%d\n", n
	exit bad != 0
}
