// What is asked over HTTP: a token for a name, and a place for a file.

const tokenOf = (name) => localStorage.getItem(`token:${name}`) ?? "";

// `told` has other words for some statuses.
async function answered(request, told = {}) {
  const answer = await request.catch(() => { throw new Error("The service does not answer. Try again soon."); });
  const body = await answer.json().catch(() => ({ detail: `The service answered with ${answer.status}.` }));
  if (!answer.ok) throw new Error(told[answer.status] ?? body.detail);
  return body;
}

// A token for a name. This browser keeps it: it is what makes the name its own.
export async function signIn(name) {
  const { token } = await answered(fetch("/v1/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, token: tokenOf(name) }),
  }), { 409: `The name ${name} is taken. Choose another; one that is yours is known only to the browser where you chose it.` });
  localStorage.setItem(`token:${name}`, token);
  localStorage.setItem("name", name);
  return token;
}

// Who was here last, and has not signed out.
export function remembered() {
  const name = localStorage.getItem("name") ?? "";
  return tokenOf(name) && name;
}

// The name stays this browser's own.
export function signOut() {
  localStorage.removeItem("name");
}

export const upload = (token, file) => answered(fetch("/v1/files", {
  method: "POST",
  headers: { Authorization: `Bearer ${token}`, "X-Filename": encodeURIComponent(file.name) },
  body: file,
}));
