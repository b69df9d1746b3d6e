// Command probe is what proofs and the sample workload run: it serves its name, looks names up,
// asks a URL, dials a port, tells what the kernel says of it and takes process numbers. It needs no right,
// but to write a ConfigMap where that is what it is asked for.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "unknown"

// patience is how long one question may take.
const patience = 5 * time.Second

// persistence is how long questions are asked again, and pause the time between two rounds.
const (
	persistence = 40 * time.Second
	pause       = 300 * time.Millisecond
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch mode, rest := os.Args[1], os.Args[2:]; {
	case mode == "serve" && len(rest) <= 1:
		err = serve(append(rest, ":8080")[0])
	case mode == "resolve" && len(rest) > 0:
		err = each(rest, resolve)
	case mode == "get" && len(rest) > 0:
		err = each(rest, get)
	case mode == "dial" && len(rest) > 0:
		err = each(rest, dial)
	case mode == "ask" && len(rest) > 0 && len(rest)%2 == 0:
		err = ask(rest)
	case mode == "try" && len(rest) > 0 && len(rest)%2 == 0:
		err = try(rest)
	case mode == "status" && len(rest) == 0:
		err = status()
	case mode == "fork" && len(rest) == 1:
		err = fork(rest[0])
	case mode == "write" && len(rest) == 1:
		err = write(rest[0])
	case mode == "version" && len(rest) == 0:
		fmt.Println("probe", version)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: probe serve [ADDRESS] | resolve NAME... | get URL... | dial HOST:PORT... | ask (resolve|get|dial TARGET)... | try (resolve|get|dial TARGET)... | status | fork MOST | write CONFIGMAP | version")
	os.Exit(2)
}

// serve answers every request with the pod and the node that answer, until it is told to stop.
func serve(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("pod=%s node=%s\n", orElse("POD_NAME", name), orElse("NODE_NAME", "unknown"))
	server := &http.Server{
		Addr:              address,
		ReadHeaderTimeout: patience,
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(writer, answer)
		}),
	}
	stop, done := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer done()
	go func() {
		<-stop.Done()
		ending, end := context.WithTimeout(context.Background(), patience)
		defer end()
		_ = server.Shutdown(ending)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// told are the lines of a process's status that say what it may do.
var told = []string{"CapEff:", "NoNewPrivs:"}

// status prints what the kernel says of this process and of its users, and then serves.
func status() error {
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(own), "\n") {
		for _, name := range told {
			if strings.HasPrefix(line, name) {
				fmt.Println(strings.Join(strings.Fields(line), " "))
			}
		}
	}
	fmt.Println("Users:", strings.Join(strings.Fields(string(users)), " "))
	return serve(":8080")
}

// fork begins processes until the kernel refuses one, or as many as asked for have begun, and prints how
// many did and why no more. Each ends at once and is not waited for, so that its number stays taken and
// little else does.
func fork(most string) error {
	wanted, err := strconv.Atoi(most)
	if err != nil {
		return err
	}
	begun, refused := 0, syscall.Errno(0)
	for begun < wanted && refused == 0 {
		var pid uintptr
		pid, _, refused = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if refused == 0 && pid == 0 {
			// The child is a copy of one thread: Go's scheduler is not to be met in it.
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
		if refused == 0 {
			begun++
		}
	}
	fmt.Println("begun:", begun)
	if refused != 0 {
		fmt.Println("refused:", refused)
	}
	fmt.Println("forked")
	return nil
}

func orElse(variable, otherwise string) string {
	if value := os.Getenv(variable); value != "" {
		return value
	}
	return otherwise
}

// kinds are the questions that there are.
var kinds = map[string]func(string) (string, error){"resolve": resolve, "get": get, "dial": dial}

// ask asks questions of several kinds until each is answered, and prints one line an answer. What is not
// answered in time is printed with the reason.
func ask(words []string) error {
	began := time.Now()
	for len(words) > 0 {
		var open, failed []string
		for ; len(words) > 0; words = words[2:] {
			kind, target := words[0], words[1]
			question, known := kinds[kind]
			if !known {
				usage()
			}
			answer, err := question(target)
			if err != nil {
				open = append(open, kind, target)
				failed = append(failed, fmt.Sprintf("%s %s: %v", kind, target, err))
				continue
			}
			fmt.Println(kind, target, answer)
		}
		if len(open) > 0 && time.Since(began) > persistence {
			return errors.New(strings.Join(failed, "\n"))
		}
		words = open
		time.Sleep(pause)
	}
	return nil
}

// trial is how long one try to reach a port may take, and search for how long a name is asked for.
const (
	trial  = 2 * time.Second
	search = 20 * time.Second
)

// try asks all questions at once, prints one line for each and a last one, and then serves. A port is tried
// once only. A name is asked for until it is found: a question about names is a packet that nobody sends
// again, and any network may lose one.
func try(words []string) error {
	answers := make([]string, len(words)/2)
	var wait sync.WaitGroup
	for at := range answers {
		kind, target := words[2*at], words[2*at+1]
		question, known := kinds[kind]
		if !known {
			usage()
		}
		switch kind {
		case "dial":
			question = knock
		case "resolve":
			question = find
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			answer, err := question(target)
			if err != nil {
				answer = "silent"
			}
			answers[at] = fmt.Sprintln(kind, target, answer)
		}()
	}
	wait.Wait()
	fmt.Print(strings.Join(answers, ""), "tried\n")
	return serve(":8080")
}

// knock says whether a port is open, or refused by whoever has the address: then packets got there.
func knock(target string) (string, error) {
	connection, err := net.DialTimeout("tcp", target, trial)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused", nil
	}
	if err != nil {
		return "", err
	}
	return "open", connection.Close()
}

// find asks for a name again where nothing was answered. What was found at a later try is followed by a line that
// says after how many seconds.
func find(name string) (string, error) {
	began := time.Now()
	for tries := 1; ; tries++ {
		addresses, err := resolve(name)
		waited := time.Since(began)
		if err == nil && tries > 1 {
			seconds := int64((waited + time.Second - 1) / time.Second)
			return fmt.Sprintf("%s\nwaited resolve %s %d", addresses, name, seconds), nil
		}
		if err == nil || waited > search {
			return addresses, err
		}
		time.Sleep(pause)
	}
}

// account is where a pod finds what it needs to ask the API.
const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

// Writes come that often, each is given up after a while, and a pause is told from some length on.
const (
	rhythm   = 100 * time.Millisecond
	giveUp   = 2 * time.Second
	tellFrom = 500 * time.Millisecond
)

// write counts up in a ConfigMap, through the Service of the API, for as long as it runs. Once a second it
// prints how far it got, or for how long it has waited since the last write that was acknowledged: a pause
// is told while it lasts, since it may never end, and once more when it is over.
func write(name string) error {
	read := func(file string) string {
		text, _ := os.ReadFile(account + file)
		return strings.TrimSpace(string(text))
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM([]byte(read("ca.crt"))) {
		return errors.New("there is no authority to trust")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	client := &http.Client{Timeout: giveUp, Transport: transport}
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), orElse("KUBERNETES_SERVICE_PORT", "443"))
	url := "https://" + server + "/api/v1/namespaces/" + read("namespace") + "/configmaps/" + name
	patch := func(count int) error {
		body := fmt.Sprintf(`{"data": {"count": "%d"}}`, count)
		request, err := http.NewRequest(http.MethodPatch, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/merge-patch+json")
		request.Header.Set("Authorization", "Bearer "+read("token"))
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %d", answer.StatusCode)
		}
		return nil
	}
	record := record{told: time.Now()}
	for {
		err := patch(record.count + 1)
		if err != nil {
			// What does not answer is left, as every client does in the end.
			transport.CloseIdleConnections()
		}
		fmt.Print(record.note(time.Now(), err == nil))
		time.Sleep(rhythm)
	}
}

// record is what a writer remembers: how many writes were acknowledged, when the last of them was, and
// when it printed something.
type record struct {
	count      int
	last, told time.Time
}

// note takes down a write that ended now, and gives the lines that are to be printed of it. Before the
// first that was acknowledged there is no pause.
func (record *record) note(now time.Time, acknowledged bool) string {
	var lines string
	waited, due := now.Sub(record.last), now.Sub(record.told) >= time.Second
	if record.count > 0 && waited >= tellFrom && (acknowledged || due) {
		lines = fmt.Sprintln("pause", waited.Milliseconds())
		record.told = now
	}
	if acknowledged {
		record.count++
		record.last = now
		if due {
			lines += fmt.Sprintln("acknowledged", record.count)
			record.told = now
		}
	}
	return lines
}

// each asks every question, prints one line an answer, and fails if one failed.
func each(questions []string, ask func(string) (string, error)) error {
	var failed []error
	for _, question := range questions {
		answer, err := ask(question)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", question, err))
			continue
		}
		fmt.Println(question, answer)
	}
	return errors.Join(failed...)
}

func resolve(name string) (string, error) {
	waiting, done := context.WithTimeout(context.Background(), patience)
	defer done()
	addresses, err := net.DefaultResolver.LookupHost(waiting, name)
	return strings.Join(addresses, " "), err
}

func get(url string) (string, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{Proxy: nil}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		return "", fmt.Errorf("answered %d", answer.StatusCode)
	}
	return fmt.Sprint(answer.StatusCode), nil
}

func dial(target string) (string, error) {
	connection, err := net.DialTimeout("tcp", target, patience)
	if err != nil {
		return "", err
	}
	return "open", connection.Close()
}
