/* Takes the hub's own redirect counter out of the address, so that a reload starts afresh. */

import { once } from "./dom.js";

once("error", () => {
  const address = new URL(location.href);
  if (!address.searchParams.has("redirects")) return;
  address.searchParams.delete("redirects");
  history.replaceState(null, "", address);
});
