#!/usr/bin/env bash
# Once before record.py: Python packages of the clients and servers, and the clients in Go and Java, in FIELD_TOOLS.
# The programs themselves are the distribution's (Debian's names): nginx apache2 haproxy caddy lighttpd varnish h2o hitch
# stunnel4 squid tinyproxy privoxy microsocks dante-server nodejs default-jdk-headless golang chromium wget aria2 lynx lftp wrk
# apache2-utils siege nghttp2 gnutls-bin openssh-server rsync git vsftpd swaks redis-server memcached mosquitto nats-server
# mariadb-server postgresql unbound bind9 dnsmasq knot knot-dnsutils knot-resolver nsd pdns-server pdns-backend-bind
# pdns-recursor dnsdist openvpn wireguard-go wireguard-tools gobgpd radvd isc-dhcp-client udhcpc udhcpd nftables iptables
# iproute2 ethtool tcpdump wireshark-common socat ncat iperf3 faketime traceroute.
set -euo pipefail
tools=${FIELD_TOOLS:-/tmp/thru-field}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$tools/bin"
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet aiohttp aioquic aiosmtpd cryptography dnslib gunicorn h2 "httpx[http2]" Hypercorn requests scapy websockets
mkdir -p "$tools/java"
javac -d "$tools/java" "$here/clients/Get.java"
(cd "$here/clients/go" && go build -o "$tools/bin/goget" .)
echo "ready: $tools"
