package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"

	"github.com/nixflotilla/flotilla/internal/lab"
	"github.com/nixflotilla/flotilla/internal/proc"
)

func workflow(t *testing.T, file string) ([]byte, *actionlint.Workflow) {
	t.Helper()
	text, err := os.ReadFile("../../examples/ci/" + file)
	if err != nil {
		t.Fatal(err)
	}
	w, problems := actionlint.Parse(text)
	for _, p := range problems {
		t.Fatal(p)
	}
	return text, w
}

// The workflows are valid, inputs of actions and expressions included; every
// action is pinned by its commit, and no permission is given that is not needed.
func TestWorkflowIsValid(t *testing.T) {
	for _, file := range []string{"deploy.yml", "prebuilt.yml"} {
		t.Run(file, func(t *testing.T) { checkWorkflow(t, file) })
	}
}

func checkWorkflow(t *testing.T, file string) {
	text, w := workflow(t, file)
	pinned := regexp.MustCompile(`@[0-9a-f]{40} # (v\d+)\.\d+\.\d+\n`)
	if uses := regexp.MustCompile(`uses:.*\n`).FindAll(text, -1); len(uses) == 0 || len(uses) != len(pinned.FindAll(text, -1)) {
		t.Error("not every action is pinned by its commit, with its version behind it")
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// actionlint knows the inputs of actions by their versions.
	problems, err := linter.Lint(file, pinned.ReplaceAll(text, []byte("@$1\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	for name, job := range w.Jobs {
		if job.TimeoutMinutes == nil {
			t.Errorf("%s: no time limit", name)
		}
		for scope, p := range permissions(job.Permissions) {
			if p != "read" && !(name == "plan" && scope == "pull-requests" && p == "write") {
				t.Errorf("%s: permission %s: %s", name, scope, p)
			}
		}
		// Whoever gets the key passes through an environment.
		if keyed := slices.ContainsFunc(job.Steps, func(s *actionlint.Step) bool {
			return s.Env != nil && strings.Contains(envText(s), "secrets.")
		}); keyed && job.Environment == nil {
			t.Errorf("%s: a secret without an environment", name)
		}
	}
	if p := permissions(w.Permissions); len(p) != 1 || p["contents"] != "read" {
		t.Errorf("the workflow's permissions: %v", p)
	}
	c := w.Jobs["deploy"].Concurrency
	if c == nil {
		c = w.Concurrency
	}
	if c == nil || c.CancelInProgress == nil || c.CancelInProgress.Value {
		t.Error("a deployment can be cut short by the next")
	}
}

func permissions(p *actionlint.Permissions) map[string]string {
	all := map[string]string{}
	if p == nil {
		return all
	}
	if p.All != nil {
		all["all"] = p.All.Value
	}
	for name, scope := range p.Scopes {
		all[name] = scope.Value.Value
	}
	return all
}

func envText(s *actionlint.Step) string {
	var all []string
	for _, v := range s.Env.Vars {
		all = append(all, v.Value.Value)
	}
	return strings.Join(all, " ")
}

// runner is what GitHub's runner is to the workflow's commands.
type runner struct {
	m     *machine
	event string
	// known are the values of expressions, as they are written.
	known map[string]string
	env   []string
}

// notHere are the steps that only GitHub's runner can do.
func notHere() []string {
	return []string{"Check out", "Install Nix", "Cache the Nix store", "Install Go", "Install Mage"}
}

// job runs the commands of a job's steps in order and returns what they printed.
func (r runner) job(name string, job *actionlint.Job) string {
	t := r.m.t
	t.Helper()
	if job.If != nil && !strings.HasPrefix(job.If.Value, "github.event_name == '"+r.event+"'") {
		t.Fatalf("%s does not run for %s: %s", name, r.event, job.If.Value)
	}
	var said strings.Builder
	for _, s := range job.Steps {
		if slices.Contains(notHere(), s.Name.Value) || !r.wants(s) {
			continue
		}
		run, ok := s.Exec.(*actionlint.ExecRun)
		if !ok {
			t.Fatalf("%s: step %q can be run neither here nor is it listed as one that cannot", name, s.Name.Value)
		}
		env := slices.Clone(r.env)
		if s.Env != nil {
			for _, v := range s.Env.Vars {
				env = append(env, v.Name.Value+"="+r.value(v.Value.Value))
			}
		}
		// As GitHub runs `shell: bash`.
		res, err := r.m.Exec(t.Context(), lab.ExecOptions{Env: env,
			Argv: []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run.Run.Value}})
		out := string(res.Stdout) + string(res.Stderr)
		var pe *proc.Error
		if errors.As(err, &pe) {
			t.Fatalf("%s: %s: exit code %d\n%s", name, s.Name.Value, res.Code, out)
		} else if err != nil {
			t.Fatal(err)
		}
		said.WriteString(out)
	}
	return said.String()
}

// wants reports whether a step's condition holds.
func (r runner) wants(s *actionlint.Step) bool {
	if s.If == nil || s.If.Value == "${{ !cancelled() }}" {
		return true
	}
	event, found := strings.CutPrefix(s.If.Value, "github.event_name == ")
	if !found {
		r.m.t.Fatalf("%s: unknown condition %q", s.Name.Value, s.If.Value)
	}
	return event == "'"+r.event+"'"
}

func (r runner) value(text string) string {
	return regexp.MustCompile(`\$\{\{ (.*?) \}\}`).ReplaceAllStringFunc(text, func(e string) string {
		v, ok := r.known[strings.TrimSuffix(strings.TrimPrefix(e, "${{ "), " }}")]
		if !ok {
			r.m.t.Fatalf("unknown expression %s", e)
		}
		return v
	})
}

// The commands of the workflow, run in order on the lab: a pull request with a
// change of one host, then the push of it; and the guide's loop.
func TestWorkflow(t *testing.T) {
	m := inLab(t)
	m.deployed()
	_, w := workflow(t, "deploy.yml")
	const dir = "/tmp/ci"
	m.must(lab.Control, "mkdir -p "+dir+"/bin && ln -s "+lab.FlotillaPath+" "+dir+"/bin/mage && printf '#!/bin/sh\\nfor last; do :; done; cp \"$last\" "+dir+"/comment\\n' >"+dir+"/bin/gh && chmod 755 "+dir+"/bin/gh")
	before := m.must(lab.Control, "cp -pr /root/.ssh "+dir+"/ssh && git rev-parse HEAD")
	t.Cleanup(func() {
		m.must(lab.Control, "git reset -q --hard "+before+" && cat "+dir+"/ssh/id_ed25519 >/root/.ssh/id_ed25519 && cat "+dir+"/ssh/known_hosts >/root/.ssh/known_hosts && rm -r "+dir)
	})
	key := m.must(lab.Control, "cat /root/.ssh/id_ed25519")
	r := runner{m: m, event: "pull_request", known: map[string]string{
		"github.event.pull_request.base.sha": before, "github.event.number": "1",
		"github.token": "t", "github.repository": "o/r",
		"secrets.FLEET_SSH_KEY": key, "vars.FLEET_KNOWN_HOSTS": m.must(lab.Control, "cat /root/.ssh/known_hosts"),
	}, env: []string{"GITHUB_ACTIONS=true", "CI=true", "RUNNER_TEMP=" + dir, "GITHUB_STEP_SUMMARY=" + dir + "/summary",
		"PATH=" + dir + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}
	for name, v := range w.Env.Vars {
		r.env = append(r.env, strings.ToUpper(name)+"="+v.Value.Value)
	}
	m.must(lab.Control, `sed -i 's/RATE = "48000"/RATE = "96000"/' hosts/razer/audio.nix && git commit -qam rate && rm /root/.ssh/id_ed25519 /root/.ssh/known_hosts`)

	tested := r.job("test", w.Jobs["test"])
	if !strings.Contains(tested, "::group::razer: built") || strings.Contains(tested, "p620: built") {
		t.Errorf("not razer alone was tested:\n%s", tested)
	}
	planned := r.job("plan", w.Jobs["plan"])
	for _, file := range []string{"comment", "summary"} {
		text := m.must(lab.Control, "cat "+dir+"/"+file)
		if n := strings.Count(text, "<details>"); n != 1 || !strings.Contains(text, `razer\-audio\.service`) {
			t.Errorf("the %s is not the plan of razer, once: %s", file, text)
		}
	}

	r.event = "push"
	r.job("test", w.Jobs["test"])
	m.must(lab.Control, "rm -f /root/.ssh/id_ed25519 /root/.ssh/known_hosts")
	deployed := r.job("deploy", w.Jobs["deploy"])
	if !strings.Contains(deployed, "::group::razer: switched") || !strings.Contains(deployed, "::group::p620: unchanged") {
		t.Errorf("not razer alone was deployed:\n%s", deployed)
	}
	if modes := m.must(lab.Control, "stat -c %a /root/.ssh/id_ed25519 /root/.ssh/known_hosts"); modes != "600\n600" {
		t.Errorf("the key's and the known hosts' modes: %s", modes)
	}
	if strings.Contains(tested+planned+deployed, strings.Split(key, "\n")[1]) {
		t.Error("the key is in the log")
	}
	if summary := m.must(lab.Control, "cat "+dir+"/summary"); !strings.Contains(summary, "| razer | ✅ switched") {
		t.Errorf("the job's summary: %s", summary)
	}

	// The guide's loop, as the README has it.
	readme, err := os.ReadFile("../../examples/ci/README.md")
	if err != nil {
		t.Fatal(err)
	}
	loop := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(readme)
	if loop == nil {
		t.Fatal("the README has no loop")
	}
	m.set("p510", `environment.etc.motd.text = "from the loop";`)
	res, err := m.Exec(context.Background(), lab.ExecOptions{Env: r.env, Argv: []string{"bash", "-eo", "pipefail", "-c", string(loop[1])}})
	out := string(res.Stdout) + string(res.Stderr)
	if err != nil || !strings.Contains(out, "::group::p510: switched") || !strings.Contains(out, "::group::dex5550: unchanged") {
		t.Errorf("%v\n%s", err, out)
	}
}
