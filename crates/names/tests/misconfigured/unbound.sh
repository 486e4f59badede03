#!/usr/bin/env bash
# Asks a real unbound about the misconfigured zones, in a network namespace of its own, and writes unbound.txt.
# Needs root, unbound, dig and ip. Usage: unbound.sh TEST-BINARY (what `cargo test --test misconfigured --no-run` names)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${INSIDE:-}" ]; then
  INSIDE=1 exec unshare -n -m "$0" "$(realpath "$1")"
fi
ip link set lo up
work=$(mktemp -d)
THRU_MISCONFIGURED_SERVE=$work/world "$1" --exact zones_for_others >/dev/null 2>&1 &
server=$!
while [ ! -s "$work/world" ]; do read -rt 0.1 <> <(:) || :; done
cat >"$work/unbound.conf" <<CONF
server:
  directory: "$work"
  chroot: ""
  username: ""
  pidfile: ""
  interface: 127.0.0.77
  port: 5353
  do-daemonize: no
  do-not-query-localhost: no
  root-hints: "$work/hints"
  trust-anchor: "$(sed -n 's/^anchor //p' "$work/world")"
  val-override-date: "20260601000000"
  qname-minimisation: no
  ede: yes
  trust-anchor-signaling: no
remote-control:
  control-enable: no
CONF
printf '. 3600 IN NS ns.root.\nns.root. 3600 IN A 127.53.0.1\n' >"$work/hints"
unbound -c "$work/unbound.conf" 2>"$work/log" &
unbound=$!
while ! dig +time=1 +tries=1 @127.0.0.77 -p 5353 . SOA >/dev/null 2>&1; do kill -0 "$unbound"; done
grep -v '^anchor' "$work/world" | while read -r label name; do
  out=$(dig +time=30 +tries=1 +dnssec @127.0.0.77 -p 5353 "$name" A || :)
  rcode=$(sed -n 's/.*status: \([A-Z]*\),.*/\1/p' <<<"$out")
  authentic=$(grep -q '^;; flags:[^;]* ad[ ;]' <<<"$out" && echo AD || echo -)
  errors=$(sed -n 's/^; EDE: \([0-9]*\).*/\1/p' <<<"$out" | paste -sd, -)
  printf '%s\t%-8s %-2s %s\n' "$label" "${rcode:-silence}" "$authentic" "${errors:--}"
done >"$here/unbound.txt"
kill "$unbound"
rm "$work/world"
wait "$server" || :
rm -rf "$work"
