builtins.warn "the option `services.old' is deprecated" (
  builtins.trace "warning: from trace" (builtins.trace "only a trace" { name = "warns"; })
)
