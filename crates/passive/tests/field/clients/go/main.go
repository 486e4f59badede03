package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	secs, _ := strconv.ParseFloat(os.Args[3], 64)
	pool := x509.NewCertPool()
	if b, err := os.ReadFile(os.Args[2]); err == nil {
		pool.AppendCertsFromPEM(b)
	}
	cfg := &tls.Config{RootCAs: pool}
	if p := os.Getenv("SSLKEYLOGFILE"); p != "" {
		cfg.KeyLogWriter, _ = os.OpenFile(p, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0600)
	}
	c := &http.Client{Timeout: time.Duration(secs * float64(time.Second)), Transport: &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}}
	r, err := c.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Println(r.Status, n, err)
}
