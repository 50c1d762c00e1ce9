package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Inventory is what fleet.toml says: which hosts it lists, how they are
// reached, and how much may happen at once. It is not changed after Load, and
// may be read concurrently.
type Inventory struct {
	// Name is the fleet's name, for people; empty if none is set.
	Name string
	// Dir is the absolute directory of the flake and of fleet.toml.
	Dir string
	// Hosts are all hosts, in the order of fleet.toml; nil if it lists none. They
	// are then those of the flake, which only Nix can tell: see Fleet.Select.
	Hosts []Host
	// Limits bounds what may happen at once.
	Limits Limits
	// SSH says how connections are made.
	SSH SSH
	// Cache is the fleet's own binary cache; the zero value is none.
	Cache Cache
	// Builders build for the hosts whose BuildHost is BuildOnBuilders; nil means those of
	// this machine's nix.conf.
	Builders []Builder
	// Health says how hosts are checked, Rollout in which order they are deployed
	// to, Reboot how they are rebooted. A Go program may set these before anything
	// is done with the hosts.
	Health  Health
	Rollout Rollout
	Reboot  Reboot
	// Activation says how hosts are kept from being stranded.
	Activation Activation
	// Metrics says whom recipes tell of each run; nothing in this package does.
	Metrics Metrics

	defaults fileDefaults
}

// Host is one machine of the fleet.
type Host struct {
	// Name is what people and selectors call the host; unique in the
	// inventory, made of letters, digits, '-', '_' and '.'.
	Name string
	// Attr is the host's name below nixosConfigurations. By default it is Name.
	Attr string
	// Address is where ssh finds the host: a name, an address, or an alias of
	// the user's ssh_config. By default it is Name.
	Address string
	// User is the remote user; empty means what ssh itself would choose. A
	// user other than root needs a way to become root; see Become.
	User string
	// Port is the ssh port, 1 to 65535; 0 means what ssh itself would choose.
	Port int
	// SSHOptions are further options in ssh_config(5)'s KEY=VALUE form.
	SSHOptions []string
	// Become says how scripts become root; empty means BecomeAuto.
	Become Become
	// BuildHost says where the host's system is built: BuildHere, BuildOnTarget,
	// BuildOnBuilders or the name of a host of the inventory; empty means BuildHere.
	BuildHost string
	// Specialisation is the name of the specialisation of the host's system that is
	// to be live; empty means the system itself. What boots is the system itself
	// in either case.
	Specialisation string
	// SubstituteOnTarget lets the host fetch from its own substituters what it
	// can, instead of having all of it sent from here.
	SubstituteOnTarget bool
	// Tags are labels that selectors name with '@'; nil if there are none.
	Tags []string
	// Description says what the machine is, for people.
	Description string
}

// HasTag reports whether the host carries the tag.
func (h Host) HasTag(tag string) bool { return slices.Contains(h.Tags, tag) }

// Limits bounds what may happen at once, over all hosts of a run. A field that
// is 0 means the default.
type Limits struct {
	// Evaluations is how many Nix evaluators run at once. The default is one
	// per core. Memory bounds them too.
	Evaluations int `toml:"evaluations"`
	// Memory is how many bytes evaluators may take together. By default it is
	// what is available whenever one is to begin, less 256 MiB. How much one takes
	// is learnt from earlier runs.
	Memory int64 `toml:"-"`
	// Builds is how many hosts are built at once on this machine. The default is
	// one per core; within each, Nix's own max-jobs holds.
	Builds int `toml:"builds"`
	// Copies is how many closures are copied at once. The default is 4.
	Copies int `toml:"copies"`
	// Activations is how many hosts are activated at once. The default is 16.
	Activations int `toml:"activations"`
	// Sessions is how many hosts are surveyed at once. The default is 64.
	Sessions int `toml:"sessions"`
}

// SSH says how connections are made. The zero value is useful.
type SSH struct {
	// ConnectTimeout is how long one handshake may take; 0 means 10 seconds.
	ConnectTimeout time.Duration
	// Persist is how long an idle connection is kept for the next run; 0
	// means 10 minutes, a negative value ends it with this run.
	Persist time.Duration
	// AcceptNewHostKeys lets ssh record the key of a host it has never seen. A
	// changed key is refused all the same.
	AcceptNewHostKeys bool
	// ConfigFile is an ssh_config(5) file used instead of the user's; empty
	// means the user's.
	ConfigFile string
}

// Host returns the host of that name.
func (inv *Inventory) Host(name string) (Host, bool) {
	i := slices.IndexFunc(inv.Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return inv.Hosts[i], true
}

// id tells the states of fleets in different directories apart.
func (inv *Inventory) id() string {
	sum := sha256.Sum256([]byte(inv.Dir))
	return hex.EncodeToString(sum[:8])
}

func (inv *Inventory) names() []string {
	names := make([]string, len(inv.Hosts))
	for i, h := range inv.Hosts {
		names[i] = h.Name
	}
	return names
}

func (inv *Inventory) tags() []string {
	var tags []string
	for _, h := range inv.Hosts {
		tags = append(tags, h.Tags...)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}
