/**
 * What holds the line when the agent cannot: two sh scripts. They need sh, nft and coreutils (or busybox), never Node.
 * Boot runs `restore`, which lies in the package and depends on nothing that the agent writes: the committed slot whose
 * digest fits, newest first, else the closed ruleset, else the last resort. The `watchdog` waits for a deadline and then
 * goes back; its text is an argument, and what it may have to load is open before anything else is loaded.
 */
import { renderClosed } from "#core/render/index.ts";
import { Guard } from "#schema/guard.ts";
import { standaloneText } from "#agent/disk/slots.ts";

/** Closed for everybody: where no guard can be read, nobody is known who manages this host. */
const nobody: Guard = {
  ...Guard.parse({ management: { interfaces: ["lo"] } }),
  management: { interfaces: [], allow: [] },
};

/** Last of all: nothing new comes in, answers do, and the agent can still reach out and mend it. */
const lastResort = standaloneText(renderClosed(nobody));

/** What both need. `$state`, `$fallback` and `$nft` are set before it. */
const library = `
say() { echo "portcullis: $1" >&2; }

# A folder that is ours alone and can be entered: what others can write is not believed.
trusted() {
	[ -O "$1" ] && [ -e "$1/." ] || return 1
	case $(stat -L -c %a "$1" 2>/dev/null) in '' | *[2367]? | *[2367]) return 1 ;; esac
}
fits() {
	sealed= && read -r sealed rest 2>/dev/null <"$2" || return 1
	actual=$(sha256sum 2>/dev/null <"$1") || return 1
	[ -n "$sealed" ] && [ "\${actual%% *}" = "$sealed" ]
}
number() {
	n= && read -r sealed n 2>/dev/null <"$1/seal"
	case $n in '' | *[!0-9]*) echo 0 ;; *) echo "$n" ;; esac
}
load() {
	"$nft" -f "$1" >/dev/null 2>&1 || { sleep 1; "$nft" -f "$1" >/dev/null 2>&1; }
}

# Somebody closed this host, or it closed itself.
down() { [ -e "$state/closed" ] || [ -e "$state/fallen" ]; }
newest_first() {
	if [ "$(number "$state/slots/b")" -gt "$(number "$state/slots/a")" ]; then
		newer=$state/slots/b older=$state/slots/a
	else
		newer=$state/slots/a older=$state/slots/b
	fi
}
# The copy written last first: a guard that changed while one of the folders could not be written left the other older.
close() {
	first=$state second=$fallback
	if [ "$fallback/closed.seal" -nt "$state/closed.seal" ]; then first=$fallback second=$state; fi
	for folder in "$first" "$second"; do
		if trusted "$folder" && fits "$folder/closed.nft" "$folder/closed.seal" && load "$folder/closed.nft"; then
			say "closed by $folder/closed.nft"
			return 0
		fi
	done
	say "closed by the last resort, without management: no closed ruleset made from the guard is whole"
	"$nft" -f - <<'TEXT'
${lastResort.trimEnd()}
TEXT
}`;

/**
 * `restore.sh STATE FALLBACK [NFT [missing]]`. A host that never committed and was never closed is left alone, as its
 * own files say, or where there are none those of FALLBACK; what cannot be read says nothing. With `missing` only where
 * our table is not there. Exit 0 when loaded or left alone.
 */
export const restoreScript = `#!/bin/sh
set -u
state=$1
fallback=$2
nft=\${3:-nft}
${library}
unmarked() { trusted "$fallback" && [ ! -e "$fallback/holds" ]; }

if [ "\${4:-}" = missing ]; then
	case $("$nft" list chains inet 2>/dev/null) in *"table inet portcullis {"*) exit 0 ;; esac
fi
if trusted "$state"; then
	if ! down; then
		if [ ! -e "$state/enforced" ] && [ ! -e "$state/slots/a/seal" ] && [ ! -e "$state/slots/b/seal" ] &&
			{ [ ! -e "$fallback" ] || unmarked; }; then
			exit 0
		fi
		newest_first
		for slot in "$newer" "$older"; do
			if fits "$slot/ruleset.nft" "$slot/seal" && load "$slot/ruleset.nft"; then
				say "loaded $slot"
				exit 0
			fi
		done
		say "no committed ruleset in $state is whole"
	fi
elif [ ! -e "$state" ] && unmarked; then
	exit 0
else
	say "$state is gone, not root's alone, or cannot be entered"
fi
close
`;

/**
 * `watchdog STATE FALLBACK SLOT UPTIME SECONDS NFT`: goes back at that uptime, or after that many seconds, unless the
 * candidate in SLOT is committed or revoked. Of agent and watchdog one renames its seal; where neither can, on a disk
 * that is read-only or gone, nothing was committed, and the watchdog goes back all the same.
 */
export const watchdogScript = `set -u
state=$1
fallback=$2
slot=$3
nft=$6
${library}

pending=$slot/seal.pending
exec 3<"$pending" || exit 1
undecided() { [ "$pending" -ef /proc/self/fd/3 ]; }
# Another seal: this candidate is committed or revoked, or the slot has its next one already.
decided() {
	undecided && return 1
	for seal in seal seal.pending seal.revoked seal.reverted; do
		[ -e "$slot/$seal" ] && return 0
	done
	# No seal at all: the slot is gone, and the kernel still knows what its seal was called last.
	case $(readlink /proc/self/fd/3) in
	*"/seal" | *"/seal (deleted)") return 0 ;;
	esac
	return 1
}
undecided || exit 1
newest_first
held=
for folder in "$newer" "$older"; do
	if [ -z "$held" ] && fits "$folder/ruleset.nft" "$folder/seal" && exec 4<"$folder/ruleset.nft"; then held=yes; fi
done
fell=
if down; then fell=yes; fi
echo armed
waited=0
while [ "$waited" -lt "$5" ]; do
	decided && exit 0
	up=0
	read -r up rest 2>/dev/null </proc/uptime
	[ "\${up%%.*}" -ge "$4" ] && break
	sleep 1
	waited=$((waited + 1))
done
decided && exit 0
mv "$pending" "$slot/seal.revoked" 2>/dev/null || { decided && exit 0; }
if [ -n "$fell" ] || down || [ -z "$held" ] || ! load /proc/self/fd/4; then close; fi
mv "$slot/seal.revoked" "$slot/seal.reverted" 2>/dev/null
`;
