"""How the page that makes heads in the browser is made."""
