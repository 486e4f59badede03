import sys, ssl, httpx
url, ca, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3])
made = ssl.create_default_context(cafile=ca if ca != "-" else None)
try:
    with httpx.Client(http2=True, verify=made, timeout=timeout, follow_redirects=True, trust_env=False) as c:
        r = c.get(url); print(r.status_code, r.http_version, len(r.content))
except Exception as e:
    print(type(e).__name__, e)
