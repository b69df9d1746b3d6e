// Command prober asks one API server address over and over, in two ways at once: over a connection
// that it keeps, as programs do, and over a new one each time. When its input ends it prints what
// it saw as JSON. It runs on the host, inside the network of a machine or of a pod.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// pace is the time between two questions.
	pace = 50 * time.Millisecond
	// patience is how long an answer is waited for.
	patience = 2 * time.Second
)

// seen is what one way of asking came to.
type seen struct {
	Tried         int     `json:"tried"`
	Failed        int     `json:"failed"`
	LongestSilent float64 `json:"longestSilentSeconds"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: prober KUBECONFIG.json URL")
		os.Exit(2)
	}
	settings, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	until, stop := context.WithCancel(context.Background())
	var kept, fresh seen
	var both sync.WaitGroup
	both.Go(func() { kept = ask(until, settings.Clone(), os.Args[2], false) })
	both.Go(func() { fresh = ask(until, settings.Clone(), os.Args[2], true) })
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	both.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]seen{"kept": kept, "fresh": fresh})
}

// ask asks until it is told to stop. The time between two answers counts as silent, less the pace.
func ask(until context.Context, settings *tls.Config, url string, anew bool) seen {
	transport := &http.Transport{TLSClientConfig: settings, Proxy: nil, DisableKeepAlives: anew, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	var result seen
	last := time.Now()
	for until.Err() == nil {
		result.Tried++
		if err := get(client, url); err == nil {
			result.LongestSilent = max(result.LongestSilent, (time.Since(last) - pace).Seconds())
			last = time.Now()
		} else {
			result.Failed++
			// A client that got no answer does not go on waiting on the same connection.
			transport.CloseIdleConnections()
		}
		time.Sleep(pace)
	}
	result.LongestSilent = max(result.LongestSilent, (time.Since(last) - pace).Seconds())
	return result
}

func get(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// read takes the first cluster and user of a kubeconfig that kubectl has written as JSON.
func read(path string) (*tls.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Authority string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Certificate string `json:"client-certificate-data"`
				Key         string `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	if len(config.Clusters) == 0 || len(config.Users) == 0 {
		return nil, errors.New("the kubeconfig names no cluster or no user")
	}
	authority, one := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.Authority)
	certificate, two := base64.StdEncoding.DecodeString(config.Users[0].User.Certificate)
	key, three := base64.StdEncoding.DecodeString(config.Users[0].User.Key)
	if err := errors.Join(one, two, three); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("the kubeconfig names no authority")
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}
