package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

// demo is the part of the demo's JSON that is used here.
type demo struct {
	Center struct {
		URL          string `json:"url"`
		InstanceARN  string `json:"instance_arn"`
		SCIMEndpoint string `json:"scim_endpoint"`
		SCIMToken    string `json:"scim_token"`
		Region       string `json:"region"`
	} `json:"center"`
	AWS struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	} `json:"aws"`
	Tenant struct {
		URL          string `json:"url"`
		TenantID     string `json:"tenant_id"`
		GraphURL     string `json:"graph_url"`
		TokenURL     string `json:"token_url"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	} `json:"tenant"`
	People []struct {
		UserName     string `json:"user_name"`
		Password     string `json:"password"`
		Active       bool   `json:"active"`
		CenterUserID string `json:"center_user_id"`
	} `json:"people"`
}

// runningDemo is a demo that has started.
type runningDemo struct {
	*process
	demo
}

func startDemo(program string, more ...string) (runningDemo, error) {
	p, err := start(
		program,
		append([]string{"demo", "--json", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0"}, more...)...)
	if err != nil {
		return runningDemo{}, err
	}
	d := runningDemo{process: p}
	return d, json.Unmarshal(p.line, &d.demo)
}

// walk measures the demo: its start, its memory, and a provisioning cycle.
func walk(s settings, self string) ([]figure, error) {
	figures, err := startUp(s, self)
	if err != nil {
		return nil, err
	}
	more, err := cycle(s, self)
	if err != nil {
		return nil, err
	}
	figures = append(figures, more...)
	info, err := os.Stat(s.program)
	if err != nil {
		return nil, err
	}
	// It was 60 until traces by OpenTelemetry came, which cost 1.4 MiB: docs/decisions/0021.
	return append(
		figures, figure{Name: "binary", Value: float64(info.Size()) / (1 << 20), Unit: "MiB", Aim: "< 64"},
	), nil
}

// startUp measures from the start of the process to the demo's line, and to the plain server's.
func startUp(s settings, self string) ([]figure, error) {
	var ready, plain, memory []float64
	for i := range s.rounds + 2 {
		s.sayRoundOf("start of the demo", i, s.rounds+2)
		h, err := start(self, "-serve", "hello")
		if err != nil {
			return nil, err
		}
		plain = append(plain, h.ready.Seconds())
		h.stop()
		p, err := startDemo(s.program)
		if err != nil {
			return nil, err
		}
		ready, memory = append(ready, p.ready.Seconds()), append(memory, p.resident())
		p.stop()
	}
	a, b := median(ready), median(plain)
	return []figure{
		{
			Name:    "demo start to ready",
			Value:   a,
			Unit:    "s",
			Against: "start of a process",
			Floor:   b,
			Ratio:   a / b,
			Aim:     "< 3 s",
		},
		{Name: "demo resident memory", Value: median(memory), Unit: "MiB", Aim: "< 120"},
	}, nil
}

const people, groups = 1000, 50

// cycle measures a full provisioning cycle: from the start of the job to all users, groups and
// members at the center. The floor is as many plain requests as the cycle takes: a query and a
// creation for each object, and a request for each group's members.
func cycle(s settings, self string) ([]figure, error) {
	plainServer, err := start(self, "-serve", "hello")
	if err != nil {
		return nil, err
	}
	defer plainServer.stop()
	var took, plain []float64
	var memory float64
	for i := range s.rounds {
		s.sayRound(fmt.Sprintf("full cycle, %s users and %d groups", thousands(people), groups), i)
		d, err := startDemo(
			s.program, "--no-connect", "--people", fmt.Sprint(people), "--groups", fmt.Sprint(groups),
		)
		if err != nil {
			return nil, err
		}
		seconds, err := connectAll(d.demo)
		memory = d.resident()
		d.stop()
		if err != nil {
			return nil, err
		}
		took = append(took, seconds)
		n := 2*(people+groups) + people + groups // the manager of each person, and one batch of members a group
		w, err := closedLoop(
			string(plainServer.line),
			connections,
			time.Minute,
			n/connections,
			func(buf []byte, _, _ int) []byte {
				return message(buf, "POST", "/", "", []byte(`{}`))
			},
		)
		if err != nil {
			return nil, err
		}
		plain = append(plain, float64(n)/w.Rate)
	}
	a, b := median(took), median(plain)
	return []figure{
		{
			Name:    fmt.Sprintf("full cycle, %d users and %d groups", people, groups),
			Value:   a,
			Unit:    "s",
			Against: "as many plain requests",
			Floor:   b,
			Ratio:   a / b,
		},
		{Name: "resident memory after it", Value: memory, Unit: "MiB", Aim: "< 120"},
	}, nil
}

func connectAll(d demo) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	plan, err := connect.Observe(ctx, connect.Config{
		Graph: graph.NewClient(
			ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil,
		),
		Center: &adminapi.Client{
			URL:             d.Center.URL,
			Region:          d.Center.Region,
			AccessKeyID:     d.AWS.AccessKeyID,
			SecretAccessKey: d.AWS.SecretAccessKey,
		},
		LoginURL: d.Tenant.URL + "/" + d.Tenant.TenantID,
		AppName:  "AWS",
		SyncAll:  true,
		Cert:     "AWS",
		PollEach: 20 * time.Millisecond,
	})
	if err != nil {
		return 0, err
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		return 0, err
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	if err != nil {
		return 0, err
	}
	x := result.Job.Status.LastExecution
	return x.TimeEnded.Sub(x.TimeBegan).Seconds(), nil
}
