{ make }:
{
  name = "failing";
  needs = [
    (make {
      name = "broken-1.0";
      script = ''
        i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; done
        echo "cannot find -lssl" >&2
        exit 7
      '';
    })
    (make {
      name = "broken-2.0";
      script = ''
        echo "second failure"
        exit 1
      '';
    })
    (make { name = "fine"; })
  ];
}
