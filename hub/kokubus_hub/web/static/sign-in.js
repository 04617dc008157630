// One click is enough: whoever opens the link is signed in; what only previews it is not.
document.getElementById("sign-in-link").requestSubmit();
