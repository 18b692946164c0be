package tracing

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Settings say where traces go, and which.
type Settings struct {
	Endpoint string // the whole address that requests are sent to; empty: tracing is off
	Name     string // of the service; empty: the caller's

	ratio    float64
	headers  [][2]string
	timeout  time.Duration
	gzip     bool
	ca       string
	cert     string
	key      string
	resource []attribute.KeyValue
}

// Given are the flags.
type Given struct {
	To    string  // an address as OTEL_EXPORTER_OTLP_ENDPOINT has it; empty: the environment decides
	Part  float64 // which part of all traces; below 0: the environment decides
	Names bool    // whether the environment names the service: not where one process has two halves

	Authorization string // the header of that name; empty: the environment decides
}

const (
	maxHeaders      = 16               //bound:list headers and attributes that OTEL_ variables name
	answerTimeout   = 10 * time.Second //bound:wait the answer of a collector of traces
	longestTimeout  = time.Minute      //bound:wait the answer of a collector of traces, as it can be set
	tracesPath      = "/v1/traces"
	otlpEnvironment = "OTEL_EXPORTER_OTLP_"
)

// Read reads flags and OpenTelemetry's own variables. Flags come first. Without an endpoint in
// either it is off, and so it is with OTEL_SDK_DISABLED and with OTEL_TRACES_EXPORTER=none.
func Read(g Given, env func(string) (string, bool)) (s Settings, err error) {
	get := func(name string) string {
		value, _ := env(name)
		return strings.TrimSpace(value)
	}
	otlp := func(name string) string { // that of traces comes before that of all signals
		if value := get(otlpEnvironment + "TRACES_" + name); value != "" {
			return value
		}
		return get(otlpEnvironment + name)
	}
	exporter := get("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || g.To == "" && exporter == "none" {
		return s, nil
	}
	switch to := get(otlpEnvironment + "TRACES_ENDPOINT"); {
	case g.To != "":
		s.Endpoint = strings.TrimRight(g.To, "/") + tracesPath
	case to != "":
		s.Endpoint = to
	case get(otlpEnvironment+"ENDPOINT") != "":
		s.Endpoint = strings.TrimRight(get(otlpEnvironment+"ENDPOINT"), "/") + tracesPath
	default:
		return s, nil
	}
	if !slices.Contains([]string{"", "otlp"}, exporter) && g.To == "" {
		return s, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: use otlp or none", exporter)
	}
	if p := otlp("PROTOCOL"); p != "" && p != "http/protobuf" {
		return s, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: use http/protobuf, which collectors take at port 4318", p)
	}
	switch c := otlp("COMPRESSION"); c {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return s, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION=%s: use gzip or none", c)
	}
	s.ca = otlp("CERTIFICATE")
	s.cert, s.key = otlp("CLIENT_CERTIFICATE"), otlp("CLIENT_KEY")
	err = errors.Join(
		s.readSampler(g.Part, get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG")),
		s.readTimeout(otlp("TIMEOUT")), s.readHeaders(otlp("HEADERS")),
		s.readResource(get("OTEL_RESOURCE_ATTRIBUTES"), g.Names),
	)
	if g.Authorization != "" {
		s.headers = append(s.headers, [2]string{"Authorization", g.Authorization})
	}
	if name := get("OTEL_SERVICE_NAME"); name != "" && g.Names {
		s.Name = name
	}
	return s, errors.Join(err, s.checkEndpoint())
}

// checkEndpoint refuses what would send a secret in the clear, and what is no address.
func (s *Settings) checkEndpoint() error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || u.Fragment != "" {
		return errors.New("the endpoint of traces: use http://host:4318 or https://host")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && len(s.headers) > 0 && u.Hostname() != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("the endpoint of traces: %s would be sent the headers of OTEL_EXPORTER_OTLP_HEADERS without "+
			"TLS: use https", u.Host)
	}
	return nil
}

// readSampler reads which part of all traces is recorded. Source: OpenTelemetry Environment
// Variable Specification, "General SDK Configuration". Whether somebody outside wants a trace
// recorded does not count, so that the samplers with parentbased_ are like those without.
func (s *Settings) readSampler(given float64, name, arg string) (err error) {
	s.ratio = 1
	if given >= 0 {
		if s.ratio = given; given > 1 {
			return fmt.Errorf("--traces-part %g: use a number from 0 to 1", given)
		}
		return nil
	}
	switch strings.TrimPrefix(name, "parentbased_") {
	case "", "always_on":
	case "always_off":
		s.ratio = 0
	case "traceidratio":
		if arg == "" {
			return nil
		}
		if s.ratio, err = strconv.ParseFloat(arg, 64); err != nil || !(s.ratio >= 0 && s.ratio <= 1) {
			return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%q: use a number from 0 to 1", arg)
		}
	default:
		return fmt.Errorf("OTEL_TRACES_SAMPLER=%q: use always_on, always_off or traceidratio", name)
	}
	return nil
}

// readTimeout reads milliseconds.
func (s *Settings) readTimeout(text string) error {
	s.timeout = answerTimeout
	if text == "" {
		return nil
	}
	ms, err := strconv.Atoi(text)
	if err != nil || ms < 1 || ms > int(longestTimeout.Milliseconds()) {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT=%q: use milliseconds, 60000 at most", text)
	}
	s.timeout = time.Duration(ms) * time.Millisecond
	return nil
}

// pairs reads name=value,name=value, with values as in URLs. Source: OpenTelemetry Environment
// Variable Specification, by W3C Baggage.
func pairs(variable, text string) (list [][2]string, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" || len(list) == maxHeaders {
			return nil, fmt.Errorf("%s: use name=value,name=value, %d at most", variable, maxHeaders)
		}
		list = append(list, [2]string{name, value})
	}
	return list, nil
}

func (s *Settings) readHeaders(text string) (err error) {
	s.headers, err = pairs("OTEL_EXPORTER_OTLP_HEADERS", text)
	for _, h := range s.headers {
		if strings.ContainsAny(h[0]+h[1], "\r\n\x00") || strings.ContainsAny(h[0], " :") {
			return errors.New("OTEL_EXPORTER_OTLP_HEADERS: a header has characters that none can have")
		}
	}
	return err
}

func (s *Settings) readResource(text string, names bool) error {
	list, err := pairs("OTEL_RESOURCE_ATTRIBUTES", text)
	for _, p := range list {
		if p[0] == "service.name" {
			if names {
				s.Name = p[1]
			}
			continue
		}
		s.resource = append(s.resource, attribute.String(p[0], p[1]))
	}
	return err
}
