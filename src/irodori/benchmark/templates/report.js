"use strict";
const dialog = document.querySelector("dialog");
document.addEventListener("click", (event) => {
  const button = event.target.closest(".strip button");
  if (button) {
    const [large] = dialog.getElementsByTagName("img");
    large.src = button.querySelector("img").src;
    large.alt = button.querySelector("img").alt;
    dialog.querySelector("p").textContent = large.alt;
    dialog.showModal();
  } else if (event.target === dialog || event.target.parentElement === dialog) {
    dialog.close();
  }
});
