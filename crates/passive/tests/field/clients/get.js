// node get.js URL CA TIMEOUT_S COUNT
const [url, ca, timeout, count] = process.argv.slice(2); const u = new URL(url);
const lib = require(u.protocol.slice(0, -1)); const fs = require('fs');
const agent = new lib.Agent({ keepAlive: +count > 1, maxSockets: 1, ca: ca && ca !== '-' ? fs.readFileSync(ca) : undefined });
let left = +count || 1;
function one() { const r = lib.get(u, { agent, timeout: timeout * 1000 }, (m) => { m.on('data', () => {}); m.on('end', () => { console.log(m.statusCode); if (--left > 0) one(); else agent.destroy(); }); m.on('error', e => { console.log('body', e.code, e.message); process.exit(2) }); });
  r.on('timeout', () => { console.log('timeout'); process.exit(3); }); r.on('error', e => { console.log(e.code, e.message); process.exit(1); }); }
one();
