{
  name = "syntax"
}
