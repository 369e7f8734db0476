// Says why the page cannot work where its modules are not even loaded.
if (location.protocol === "file:") {
  var line = document.getElementById("problem");
  line.textContent = "Browsers load this page from a web server only: python -m http.server in its folder is one.";
  line.hidden = false;
  document.querySelectorAll("button").forEach(function (button) { button.disabled = true; });
}
