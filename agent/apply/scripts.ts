/**
 * What holds the line when the agent cannot: two sh scripts, written into the state directory. They need sh, nft and
 * coreutils (or busybox), never Node. `restore` loads the committed slot whose digest fits, newest first, else the
 * closed ruleset; boot runs it before the network is up. `watchdog` waits for a deadline and then reverts by it.
 */

/** Last of all, when even the closed ruleset is torn: nothing new comes in, the agent can still reach out and mend it. */
const lastResort = `add table inet portcullis
delete table inet portcullis
table inet portcullis {
	chain input {
		type filter hook input priority filter - 10; policy drop;
		iif "lo" accept
		ct state established,related accept
		icmp type { destination-unreachable, echo-request, time-exceeded, parameter-problem } accept
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
		udp sport 67 udp dport 68 accept
		ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
		drop
	}
	chain forward {
		type filter hook forward priority filter - 10; policy drop;
		drop
	}
}`;

/** `restore.sh STATE NFT [always]`: without \`always\` a host that never committed is left alone. Exit 0 when loaded. */
export const restoreScript = `#!/bin/sh
set -u
state=$1
nft=\${2:-nft}
a=$state/slots/a
b=$state/slots/b

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

if [ ! -e "$state/closed" ] && [ ! -e "$state/fallen" ]; then
	if [ ! -e "$state/enforced" ] && [ ! -e "$a/seal" ] && [ ! -e "$b/seal" ] && [ "\${3:-}" != always ]; then
		exit 0
	fi
	first=$a second=$b
	if [ "$(number "$b")" -gt "$(number "$a")" ]; then first=$b second=$a; fi
	for slot in "$first" "$second"; do
		if fits "$slot/ruleset.nft" "$slot/seal" && load "$slot/ruleset.nft"; then exit 0; fi
	done
fi
if fits "$state/closed.nft" "$state/closed.seal" && load "$state/closed.nft"; then exit 0; fi
"$nft" -f - <<'TEXT'
${lastResort}
TEXT
`;

/** `watchdog.sh STATE SLOT UPTIME SECONDS NFT`: reverts at that uptime, or after that many seconds, unless committed. */
export const watchdogScript = `#!/bin/sh
set -u
pending=$2/seal.pending
echo armed
waited=0
# Gone is committed or revoked: leave at once, as the slot may get its next candidate before a mv.
while [ "$waited" -lt "$4" ]; do
	[ -e "$pending" ] || exit 0
	up=0
	read -r up rest 2>/dev/null </proc/uptime
	[ "\${up%%.*}" -ge "$3" ] && break
	sleep 1
	waited=$((waited + 1))
done
mv "$pending" "$2/seal.revoked" 2>/dev/null || exit 0
/bin/sh "$1/restore.sh" "$1" "$5" always
mv "$2/seal.revoked" "$2/seal.reverted"
`;
