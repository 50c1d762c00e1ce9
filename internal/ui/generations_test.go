package ui

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/nixflotilla/flotilla/fleet"
)

func TestGenerations(t *testing.T) {
	made := time.Date(2026, 3, 1, 9, 5, 0, 0, time.Local)
	res := fleet.Result{Host: fleet.Host{Name: "p620"}, Outcome: fleet.Reached, Reason: "3 generations; runs and boots 142", Generations: []fleet.Generation{
		{Number: 7, Gone: true, Path: statusB},
		{Number: 141, Path: statusB, Made: made, Kernel: "6.12.31", NixOS: "26\x1b[2J\n.05", Booted: true},
		{Number: 142, Path: statusA, Made: made, Kernel: "6.12.32", NixOS: "26.05.20260301.abcdef1", Live: true, Profile: true},
		{Number: 143},
	}}
	var b bytes.Buffer
	Generations(&b, res)
	want := `p620: 3 generations; runs and boots 142
GEN  STATE        MADE              SYSTEM   KERNEL   NIXOS
  7  gone         -                 2222222  -        -
141  booted       2026-03-01 09:05  2222222  6.12.31  26 .05
142  runs, boots  2026-03-01 09:05  1111111  6.12.32  26.05.20260301.abcdef1
143               -                 -        -        -
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}

	b.Reset()
	NewJSON(&b).Finish(&fleet.Report{Results: []fleet.Result{res, {Generations: []fleet.Generation{}}, {}}}, nil)
	var line struct {
		Report struct{ Hosts []map[string]any }
	}
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	hosts := line.Report.Hosts
	if list := hosts[0]["generations"].([]any); len(list) != 4 || list[1].(map[string]any)["nixos"] != "26 .05" || list[2].(map[string]any)["made"] != made.UTC().Format(time.RFC3339) {
		t.Errorf("%v", list)
	}
	if list, ok := hosts[1]["generations"].([]any); !ok || len(list) != 0 {
		t.Errorf("a host without any: %v", hosts[1])
	}
	if _, ok := hosts[2]["generations"]; ok {
		t.Errorf("a host that was not asked: %v", hosts[2])
	}
}
