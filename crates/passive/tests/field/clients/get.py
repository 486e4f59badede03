import sys, ssl, urllib.request
url, ca, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3])
made = ssl.create_default_context(cafile=ca if ca != "-" else None)
try:
    with urllib.request.urlopen(url, timeout=timeout, context=made if url.startswith("https") else None) as r:
        print(r.status, len(r.read()))
except Exception as e:
    print(type(e).__name__, e)
