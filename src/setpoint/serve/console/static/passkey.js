// A passkey is asked for what the page's form holds; what it answers is sent with the form.
"use strict";

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const said = form.querySelector(".why");
  const does = form.dataset.does;
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) continue;
  form.querySelector("button").disabled = false;
  said.textContent = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const told = JSON.parse(form.dataset.passkey);
    const read = does === "create" ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON";
    try {
      const answer = await navigator.credentials[does]({ publicKey: PublicKeyCredential[read](told) });
      form.elements.answer.value = JSON.stringify(answer.toJSON());
    } catch {
      said.textContent = "The device did not answer. Try again.";
      return;
    }
    form.submit();
  });
}
