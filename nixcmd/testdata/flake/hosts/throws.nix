{
  name = "throws";
  script = throw "the option `services.web' does not exist";
}
