# awk -f compare-units.awk OLD NEW: prints what a changed unit needs, by the
# rules of NixOS's switch-to-configuration: "equal", "reload" or "restart".
#
# A value is the list of all the lines that give a key; the section [Install]
# does not count.

BEGIN {
  split("X-Reload-Triggers Description Documentation OnFailure OnSuccess " \
    "OnFailureJobMode IgnoreOnIsolate StopWhenUnneeded RefuseManualStart " \
    "RefuseManualStop AllowIsolate CollectMode SourcePath", names, " ")
  for (i in names) ignored["Unit" SUBSEP names[i]] = 1
}

FNR == 1 { section = "" }

/^\[.*\]$/ {
  section = substr($0, 2, length($0) - 2)
  next
}

/^[^#;]/ && section != "Install" && index($0, "=") > 0 {
  at = index($0, "=")
  key = section SUBSEP substr($0, 1, at - 1)
  value = substr($0, at + 1)
  keys[key] = 1
  if (FILENAME == ARGV[1]) before[key] = before[key] "\n" value
  else after[key] = after[key] "\n" value
}

END {
  verdict = "equal"
  for (key in keys) {
    if ((key in before) && (key in after) && before[key] == after[key]) continue
    split(key, part, SUBSEP)
    if (key == "Unit" SUBSEP "X-Reload-Triggers") {
      if (key in after) verdict = verdict == "restart" ? verdict : "reload"
    } else if (key in ignored) {
      continue
    } else if (key == "Service" SUBSEP "ExecReload") {
      # Without it the new unit cannot be reloaded, and needs nothing.
      if (key in after) verdict = verdict == "restart" ? verdict : "reload"
    } else if (key == "Mount" SUBSEP "Options" && (key in before) && (key in after)) {
      verdict = verdict == "restart" ? verdict : "reload"
    } else {
      verdict = "restart"
    }
  }
  print verdict
}
