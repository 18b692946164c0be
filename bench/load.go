package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// window is what one closed loop measured.
type window struct {
	Rate     float64 // requests per second
	P50, P99 time.Duration
	CPU      time.Duration // of the server, per request; zero when unknown
	Requests int
}

// request writes the i-th request of a connection, a whole HTTP/1.1 message, to buf.
type request func(buf []byte, conn, i int) []byte

// closedLoop sends requests over keep-alive connections, one at a time on each, for as long as d,
// and stops early when a connection has sent limit requests (0: no limit). Any answer but a success
// ends it: a benchmark with errors measures nothing.
//
// It writes and reads raw messages, since on shared cores a costly client would measure itself.
func closedLoop(address string, connections int, d time.Duration, limit int, next request) (window, error) {
	var all sync.WaitGroup
	laps, failures := make([][]time.Duration, connections), make([]error, connections)
	began := time.Now()
	for c := range connections {
		all.Go(func() { laps[c], failures[c] = oneConnection(address, began.Add(d), limit, c, next) })
	}
	all.Wait()
	took := time.Since(began)
	if err := errors.Join(failures...); err != nil {
		return window{}, err
	}
	every := slices.Concat(laps...)
	slices.Sort(every)
	if len(every) == 0 {
		return window{}, errors.New("no request was answered in time")
	}
	return window{
		Requests: len(every),
		Rate:     float64(len(every)) / took.Seconds(),
		P50:      every[len(every)/2],
		P99:      every[len(every)*99/100],
	}, nil
}

func oneConnection(address string, end time.Time, limit, c int, next request) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is buffered
	in := bufio.NewReaderSize(conn, 64<<10)
	laps, buf := make([]time.Duration, 0, 1<<16), make([]byte, 0, 16<<10)
	at := time.Now()
	for i := 0; at.Before(end) && (limit == 0 || i < limit); i++ {
		buf = next(buf[:0], c, i)
		at = time.Now()
		if _, err := conn.Write(buf); err != nil {
			return laps, err
		}
		status, body, err := readAnswer(in)
		if err != nil {
			return laps, err
		}
		now := time.Now()
		if status/100 != 2 {
			line, _, _ := strings.Cut(string(buf), "\r\n")
			return laps, fmt.Errorf("%s was answered with %d: %.300s", line, status, body)
		}
		laps, at = append(laps, now.Sub(at)), now
	}
	return laps, nil
}

// readAnswer reads one answer; the body only of one that is no success, since measuring must not
// cost what it measures.
func readAnswer(in *bufio.Reader) (status int, body []byte, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("no status line: %q", line)
	}
	status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	length, chunked := 0, false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		switch line[0] | 0x20 {
		case 'c':
			if v, ok := headerValue(line, "content-length:"); ok {
				if length, err = strconv.Atoi(v); err != nil {
					return 0, nil, err
				}
			}
		case 't':
			if v, ok := headerValue(line, "transfer-encoding:"); ok && v == "chunked" {
				chunked = true
			}
		}
	}
	keep := status/100 != 2
	if !chunked {
		body, err = take(in, length, keep)
		return status, body, err
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 32)
		if err != nil {
			return 0, nil, err
		}
		part, err := take(in, int(n)+2, keep)
		if err != nil {
			return 0, nil, err
		}
		body = append(body, part...)
		if n == 0 {
			return status, body, nil
		}
	}
}

func headerValue(line []byte, name string) (string, bool) {
	if len(line) < len(name) || !strings.EqualFold(string(line[:len(name)]), name) {
		return "", false
	}
	return strings.TrimSpace(string(line[len(name):])), true
}

func take(in *bufio.Reader, n int, keep bool) ([]byte, error) {
	if !keep {
		_, err := in.Discard(n)
		return nil, err
	}
	body := make([]byte, n)
	_, err := io.ReadFull(in, body)
	return body, err
}

// message writes a request with a body.
func message(buf []byte, method, path, headers string, body []byte) []byte {
	buf = append(buf, method...)
	buf = append(buf, ' ')
	buf = append(buf, path...)
	buf = append(buf, " HTTP/1.1\r\nHost: bench\r\n"...)
	buf = append(buf, headers...)
	if len(body) > 0 || method != "GET" {
		buf = append(buf, "Content-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
		buf = append(buf, "\r\n"...)
	}
	buf = append(buf, "\r\n"...)
	return append(buf, body...)
}
