// A file that is dropped anywhere on the page, or pasted.

export function takeFiles(take) {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const [one] = event.dataTransfer?.files ?? [];
    if (one) take(one);
  });
  addEventListener("paste", (event) => {
    const [one] = event.clipboardData?.files ?? [];
    if (one) take(one);
  });
}
