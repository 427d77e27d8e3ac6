// What a person would see and object to, as lists of complaints. Evaluated in the page; returns {overlaps, contrasts, wide}.
(() => {
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const named = (node) => `${node.parentElement.tagName.toLowerCase()}.${node.parentElement.getAttribute('class') || ''} ` +
    `"${node.textContent.trim().slice(0, 40)}"`;

  const clipped = (rect, element) => {
    let { left, right, top, bottom } = rect;
    for (let parent = element; parent; parent = parent.parentElement) {
      const style = getComputedStyle(parent);
      if (style.clipPath !== 'none') return null;
      if (style.overflowX !== 'visible' && parent !== document.documentElement && !(parent instanceof SVGElement)) {
        const box = parent.getBoundingClientRect();
        left = Math.max(left, box.left); right = Math.min(right, box.right);
        top = Math.max(top, box.top); bottom = Math.min(bottom, box.bottom);
      }
    }
    return right - left > 1 && bottom - top > 1 ? { left, right, top, bottom } : null;
  };

  const nodes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || !shown(node.parentElement)) continue;
    if (node.parentElement.closest('title, desc, style')) continue;
    nodes.push(node);
  }

  const boxes = [];
  for (const node of nodes) {
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      const box = clipped(rect, node.parentElement);
      if (box) boxes.push({ ...box, node });
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  const overlaps = [];
  boxes.forEach((one, position) => {
    for (let next = position + 1; next < boxes.length && boxes[next].top < one.bottom; next++) {
      const other = boxes[next];
      if (other.node === one.node) continue;
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      // Boxes of neighbouring lines may touch: letters do not fill them.
      const line = Math.min(one.bottom - one.top, other.bottom - other.top);
      if (across > 1 && down > line * 0.3) overlaps.push(`${named(one.node)} and ${named(other.node)}`);
    }
  });

  const channels = (colour) => {
    const numbers = colour.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    const scale = colour.startsWith('color(') ? 255 : 1;
    return [...numbers.slice(0, 3).map((value) => value * scale), numbers.length > 3 ? numbers[3] : 1];
  };
  const luminance = (colour) => {
    const [red, green, blue] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    if (element.classList.contains('mark-number')) {
      return channels(getComputedStyle(element.parentElement.querySelector('circle')).fill);
    }
    for (let parent = element; parent; parent = parent.parentElement) {
      const colour = channels(getComputedStyle(parent).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error(`half-transparent ground of ${parent.className}`);
    }
    return [255, 255, 255, 1];
  };
  const contrasts = [];
  for (const node of nodes) {
    const element = node.parentElement;
    const style = getComputedStyle(element);
    const colour = channels(element instanceof SVGElement ? style.fill : style.color);
    const [darker, lighter] = [luminance(colour), luminance(behind(element))].sort((one, other) => one - other);
    const ratio = (lighter + 0.05) / (darker + 0.05);
    if (ratio < 4.5) contrasts.push(`${ratio.toFixed(2)} ${named(node)}`);
  }

  const wide = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    for (const element of document.body.querySelectorAll('*')) {
      if (element.getBoundingClientRect().right > width + 1 && !element.closest('.scroll, .heard, .skip')) {
        wide.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`);
      }
    }
    wide.push(`page ${document.documentElement.scrollWidth} of ${width}`);
  }
  const letters = Math.min(...nodes.filter((node) => node.parentElement instanceof SVGElement).map((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect().height;
  }), 99);
  return { overlaps, contrasts, wide, texts: nodes.length, letters };
})()
